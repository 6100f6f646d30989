<?php

// Where PHP has no driver for a database: a PDO that asks the server's own command line. It takes
// the place of examples/sms/database.php. CLI_DATABASE is the command, as JSON.

class CliStatement extends PDOStatement
{
    private array $rows = [];

    public function __construct(private CliDatabase $db, private string $sql)
    {
    }

    public function execute(?array $params = null): bool
    {
        $quoted = array_map(
            fn($one) => is_int($one) ? (string) $one : "'" . str_replace("'", "''", $one) . "'",
            $params ?? [],
        );
        $parts = explode('?', $this->sql);
        $sql = array_shift($parts);
        foreach ($parts as $n => $part) {
            $sql .= $quoted[$n] . $part;
        }
        $this->rows = $this->db->run($sql);
        return true;
    }

    public function fetch(int $mode = PDO::FETCH_DEFAULT, int $o = 0, int $c = 0): mixed
    {
        return array_shift($this->rows) ?? false;
    }
}

class CliDatabase extends PDO
{
    private string $last = '0';

    public function __construct()
    {
    }

    public function prepare(string $query, array $options = []): PDOStatement|false
    {
        return new CliStatement($this, $query);
    }

    public function beginTransaction(): bool
    {
        return true;
    }

    public function commit(): bool
    {
        return true;
    }

    public function lastInsertId(?string $name = null): string|false
    {
        return $this->last;
    }

    public function run(string $sql): array
    {
        $command = json_decode(getenv('CLI_DATABASE'), true);
        $isInsert = str_starts_with($sql, 'INSERT');
        $whole = $isInsert ? "BEGIN; $sql; SELECT last_insert_id() AS id; COMMIT" : $sql;
        $pipes = [];
        $process = proc_open([...$command, $whole], [1 => ['pipe', 'w']], $pipes);
        $out = stream_get_contents($pipes[1]);
        if (proc_close($process) !== 0) {
            throw new RuntimeException("failed: $sql");
        }
        $lines = array_filter(explode("\n", $out), fn($line) => $line !== '');
        $rows = array_map(fn($line) => explode("\t", $line), array_values($lines));
        $names = array_shift($rows) ?? [];
        $found = array_map(fn($row) => array_combine($names, $row), $rows);
        if ($isInsert) {
            $this->last = $found[0]['id'];
        }
        return $found;
    }
}

function database(): PDO
{
    return new CliDatabase();
}
