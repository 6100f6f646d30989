<?php
// Speaks to taskd over HTTP; needs nothing but PHP 8.
//
//   php client.php SERVER script BIN_NAME [ARG …]       runs a file of bin_path, prints its result
//   php client.php SERVER rpc METHOD URL [JSON]         makes a request, prints its result
//   php client.php SERVER push QUEUE [JSON]             hands tasks to a pull queue
//   php client.php SERVER claim QUEUE [COUNT]           fetches tasks of it
//   php client.php SERVER report QUEUE [JSON]           {"finish":[IDS],"failed":[IDS]}
//   php client.php SERVER rows CHANNEL BATCH_ID [JSON]  puts rows into a table
//
// SERVER is such as http://127.0.0.1:9595. JSON that is left out is read from standard input.
// TASKD_SECRET=… is sent as the secret; RESULT_TIMEOUT=60 is how many seconds a result may take.
declare(strict_types=1);

/** An answer other than 2xx; the code is the status. 429 and 503 mean: later, perhaps. */
final class Refused extends RuntimeException {}

final class Taskd
{
    public function __construct(private string $server, private string $secret = '')
    {
        $this->server = rtrim($server, '/');
    }

    /** A form (array) or JSON (string) as the body, or none; returns the answer. */
    public function ask(string $method, string $path, array|string|null $body = null): stdClass
    {
        $headers = ['connection: close'];
        if ($this->secret !== '') $headers[] = "secret: $this->secret";
        if ($body !== null) {
            $type = is_array($body) ? 'application/x-www-form-urlencoded' : 'application/json';
            $headers[] = "content-type: $type";
        }
        $http = [
            'method' => $method,
            'header' => $headers,
            'content' => is_array($body) ? http_build_query($body) : (string) $body,
            'timeout' => 30,
            'ignore_errors' => true,
            'follow_location' => 0,
        ];
        $stream = @fopen($this->server . $path, 'rb', false, stream_context_create(['http' => $http]));
        if ($stream === false) throw new RuntimeException(error_get_last()['message'] ?? 'no answer');
        $status = (int) explode(' ', stream_get_meta_data($stream)['wrapper_data'][0])[1];
        $text = (string) stream_get_contents($stream);
        fclose($stream);
        if ($status < 200 || $status > 299) throw new Refused("$status $text", $status);
        return json_decode($text, false, 512, JSON_THROW_ON_ERROR);
    }

    /** $times: start_time, time_interval, max_run_time. Returns the uuid. */
    public function script(string $binName, array $args = [], array $times = []): string
    {
        $form = ['bin_name' => $binName, 'args' => implode(' ', $args)] + $times;
        return $this->ask('POST', '/api/task/script', $form)->uuid;
    }

    /** $args: JSON. */
    public function rpc(string $method, string $url, ?string $args = null, array $times = []): string
    {
        $form = ['method' => $method, 'url' => $url, 'args' => $args] + $times;
        return $this->ask('POST', '/api/task/rpc', $form)->uuid;
    }

    public function result(string $uuid): stdClass
    {
        return $this->ask('GET', '/api/task/result/' . rawurlencode($uuid));
    }

    /** Asks until there is a result, less and less often. */
    public function wait(string $uuid, float $seconds): stdClass
    {
        $end = microtime(true) + $seconds;
        for ($pause = 0.1; ; $pause = min($pause * 1.5, 2)) {
            $result = $this->result($uuid);
            if ($result->is_result_exist) return $result;
            if (microtime(true) > $end)
                throw new RuntimeException("$uuid is still $result->state; it goes on all the same");
            usleep((int) ($pause * 1e6));
        }
    }

    /** Safe to repeat: a task_id that waits already is a duplicate. */
    public function push(string $queue, array|object $tasks): stdClass
    {
        return $this->ask('POST', '/api/queue/' . rawurlencode($queue) . '/tasks', self::json($tasks));
    }

    public function claim(string $queue, int $count): stdClass
    {
        $body = self::json(['count' => $count]);
        return $this->ask('POST', '/api/queue/' . rawurlencode($queue) . '/claim', $body);
    }

    /** Safe to repeat: each claim is counted once. */
    public function report(string $queue, array|object $reports): stdClass
    {
        return $this->ask('POST', '/api/queue/' . rawurlencode($queue) . '/report', self::json($reports));
    }

    /** Safe to repeat with the same batch id. */
    public function rows(string $channel, string $batchId, array $rows): stdClass
    {
        $body = self::json(['rows' => $rows, 'batch_id' => $batchId]);
        return $this->ask('POST', '/api/data/' . rawurlencode($channel), $body);
    }

    public static function json(mixed $value): string
    {
        $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION;
        return json_encode($value, $flags | JSON_THROW_ON_ERROR);
    }
}

function usage(): never
{
    foreach (array_slice(file(__FILE__), 1, 11) as $line) fwrite(STDERR, substr($line, 3) ?: "\n");
    exit(2);
}

/** Objects stay objects, so that {} does not become []. */
function read_json(?string $text): mixed
{
    $text ??= (string) stream_get_contents(STDIN);
    return json_decode($text, false, 512, JSON_THROW_ON_ERROR | JSON_BIGINT_AS_STRING);
}

function main(array $words): int
{
    if (count($words) < 3) usage();
    [$server, $command] = $words;
    $rest = array_slice($words, 2);
    $taskd = new Taskd($server, getenv('TASKD_SECRET') ?: '');
    $timeout = (float) (getenv('RESULT_TIMEOUT') ?: 60);
    if (in_array($command, ['rpc', 'rows'], true) && count($rest) < 2) usage();
    $answer = match ($command) {
        'script' => $taskd->wait($taskd->script($rest[0], array_slice($rest, 1)), $timeout),
        'rpc' => $taskd->wait($taskd->rpc($rest[0], $rest[1], $rest[2] ?? null), $timeout),
        'push' => $taskd->push($rest[0], read_json($rest[1] ?? null)),
        'claim' => $taskd->claim($rest[0], (int) ($rest[1] ?? 500)),
        'report' => $taskd->report($rest[0], read_json($rest[1] ?? null)),
        'rows' => $taskd->rows($rest[0], $rest[1], read_json($rest[2] ?? null)),
        default => usage(),
    };
    echo Taskd::json($answer), "\n";
    return $answer->is_success ?? true ? 0 : 1;
}

try {
    exit(main(array_slice($argv, 1)));
} catch (Throwable $error) {
    fwrite(STDERR, 'client.php: ' . trim($error->getMessage()) . "\n");
    exit(1);
}
