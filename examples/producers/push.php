<?php
// Hands a task to taskd by a plain LPUSH:
//   php push.php TASK_KEY SCRIPT [CONTROLLER [FUNCTION [PARAM]]]      PARAM is JSON
//   php push.php --wait TASK_KEY SCRIPT …    also waits for the answer and prints it
// Redis: REDIS_SOCKET=/path/redis.sock, or REDIS_HOST and REDIS_PORT (127.0.0.1 6379);
// REDIS_PASSWORD where it asks for one, and REDIS_USERNAME for a user of its ACL.
declare(strict_types=1);

/** What sends a command and returns the reply, once Redis has let us in. */
function connect(): callable
{
    $send = open_link();
    $password = getenv('REDIS_PASSWORD') ?: '';
    $username = getenv('REDIS_USERNAME') ?: '';
    if ($password !== '') {
        $send('AUTH', ...($username === '' ? [$password] : [$username, $password]));
    }
    return $send;
}

/** phpredis where it is installed, else fifteen lines that speak the protocol. */
function open_link(): callable
{
    $socket = getenv('REDIS_SOCKET') ?: '';
    [$host, $port] = [getenv('REDIS_HOST') ?: '127.0.0.1', (int) (getenv('REDIS_PORT') ?: 6379)];
    if (class_exists('Redis')) {
        $redis = new Redis();
        $socket === '' ? $redis->connect($host, $port, 2) : $redis->connect($socket);
        $redis->setOption(Redis::OPT_READ_TIMEOUT, -1);
        return static function (string ...$words) use ($redis) {
            $reply = $redis->rawCommand(...$words);
            if ($redis->getLastError() !== null) throw new RuntimeException($redis->getLastError());
            return $reply;
        };
    }
    $link = @stream_socket_client($socket === '' ? "tcp://$host:$port" : "unix://$socket", $n, $why, 2)
        ?: throw new RuntimeException("cannot reach Redis: $why");
    stream_set_timeout($link, 86400);
    $read = static function () use ($link, &$read) {
        $line = fgets($link);
        if ($line === false) throw new RuntimeException('Redis closed the connection');
        [$type, $rest] = [$line[0], substr($line, 1, -2)];
        if ($type === '-') throw new RuntimeException($rest);
        if ($rest === '-1') return null;
        if ($type === '$') return substr(stream_get_contents($link, (int) $rest + 2), 0, -2);
        return $type === '*' ? array_map($read, array_fill(0, (int) $rest, null)) : $rest;
    };
    return static function (string ...$words) use ($link, $read) {
        $parts = array_map(static fn($word) => '$' . strlen($word) . "\r\n$word\r\n", $words);
        fwrite($link, '*' . count($words) . "\r\n" . implode('', $parts));
        return $read();
    };
}

$words = array_slice($argv, 1);
$wait = ($words[0] ?? '') === '--wait' && array_shift($words);
if (count($words) < 2) {
    fwrite(STDERR, "usage: php push.php [--wait] TASK_KEY SCRIPT [CONTROLLER [FUNCTION [PARAM]]]\n");
    exit(2);
}
[$key, $script, $controller, $function, $param] = $words + [2 => '', 3 => '', 4 => '""'];
$task = [
    'task_key' => $key,
    'script' => $script,
    'controller' => $controller,
    'function' => $function,
    'param' => json_decode($param, false, 512, JSON_THROW_ON_ERROR),
];
if ($wait) {
    $task['reply_to'] = 'reply:' . bin2hex(random_bytes(16));
}
$json = json_encode($task, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);

try {
    $redis = connect();
    $redis('LPUSH', $key, $json);
    if (!$wait) {
        exit(0);
    }
    $reply = $redis('BRPOP', $task['reply_to'], getenv('REPLY_TIMEOUT') ?: '60');
} catch (Throwable $error) {
    fwrite(STDERR, 'push.php: ' . $error->getMessage() . "\n");
    exit(1);
}
if (!$reply) {
    fwrite(STDERR, "push.php: no answer in time; the task goes on all the same\n");
    exit(1);
}
echo $reply[1], "\n";
exit((json_decode($reply[1], true)['code'] ?? '') === 'succ' ? 0 : 1);
