<?php
// A front controller as CodeIgniter and its like have it, for the command line:
//   php examples/php/index.php api/AccumulatePay execute 'user=7&points=100'
// It finds the controller by its path, calls the function, and prints what it returns as one line
// of JSON, which is the answer that taskd reads.
declare(strict_types=1);

function answer(string $code, string $msg, $data = []): void
{
    echo json_encode(
        ['code' => $code, 'msg' => $msg, 'data' => $data],
        JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE
    ), "\n";
}

[, $path, $method, $query] = $argv + ['', '', 'index', ''];
parse_str($query, $params);

// Letters, digits and underscores between single slashes: no way out of the controllers' folder.
$file = __DIR__ . "/controllers/$path.php";
if (!preg_match('#\A\w+(/\w+)*\z#', $path) || !is_file($file)) {
    answer('fail', "no such controller: $path");
    exit;
}
require $file;
$class = basename($path);
$callable = [new $class(), $method];
if (!is_callable($callable) || strpos($method, '_') === 0) {
    answer('fail', "no such function: $path $method");
    exit;
}
try {
    $result = $callable($params);
    answer($result['code'] ?? 'succ', $result['msg'] ?? '', $result['data'] ?? []);
} catch (Throwable $error) {
    fwrite(STDERR, $error . "\n");
    answer('fail', $error->getMessage());
}
