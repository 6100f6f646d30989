<?php

/**
 * Runs one function of the tasks folder, in a process of its own: `php function.php CALL`, where
 * CALL is the JSON object that function-command.ts makes. What the function returns is written as
 * the last line of standard output.
 */
final class TaskdFunction
{
    /** The whole answer has to fit into a column of 64 KiB, with what is noted beside it. */
    private const MAX_ANSWER_BYTES = 60000;
    private const MESSAGE_CHARACTERS = 1000;
    private const JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES
        | JSON_PRESERVE_ZERO_FRACTION;

    /** @var array<string, mixed> */
    private static array $call;
    /** @var string[] functions that were there before the file */
    private static array $known;

    /** @return string the file to be required, in the global scope */
    public static function begin(string $json): string
    {
        self::$call = json_decode($json, true, 512, JSON_THROW_ON_ERROR);
        self::$known = get_defined_functions()['user'];
        // As if PHP had been given the file itself.
        $GLOBALS['argv'] = $_SERVER['argv'] = [self::$call['file']];
        $GLOBALS['argc'] = $_SERVER['argc'] = 1;
        return self::$call['file'];
    }

    /** @param mixed $returned by the file */
    public static function run($returned): void
    {
        $function = self::find($returned);
        $args = json_decode(self::$call['args'], true, 100000, JSON_THROW_ON_ERROR);
        $context = ['sub_task_id' => self::$call['sub_task_id'], 'trace_id' => self::$call['trace_id']];
        $value = $function(self::$call['task_key'], ...array_merge($args, [$context]));
        self::settle(self::answer($value), 0);
    }

    /** @param mixed $returned */
    private static function find($returned): callable
    {
        ['name' => $name, 'file' => $file] = self::$call;
        // Only what the file has brought: PHP has functions of its own of many names.
        $fresh = array_values(array_diff(get_defined_functions()['user'], self::$known));
        $wanted = strtolower($name);
        foreach ($fresh as $function)
            if ($function === $wanted) return $function;
        foreach ($fresh as $function)
            if (substr($function, -strlen("\\$wanted")) === "\\$wanted") return $function;
        if (is_object($returned) && is_callable($returned)) return $returned;
        $names = array_map(fn ($one) => (new ReflectionFunction($one))->getName(), $fresh);
        $defined = $names === [] ? 'nothing' : implode(', ', $names);
        throw new TaskdRefusal("no function $name in $file; it defines $defined");
    }

    /** As JSON: itself when it has a `code`, else the `data` of a success. @param mixed $value */
    private static function answer($value): string
    {
        $name = self::$call['name'];
        if ($value instanceof Generator || $value instanceof Closure)
            throw new TaskdRefusal("$name returned a " . get_class($value) . ', which JSON cannot hold');
        $code = is_array($value) ? $value['code'] ?? null : (is_object($value) ? $value->code ?? null : null);
        $said = is_string($code) || is_int($code) || is_float($code) || is_bool($code);
        $answer = $said ? $value : ['code' => 'succ', 'msg' => '', 'data' => $value];
        try {
            $text = json_encode($answer, self::JSON);
        } catch (JsonException $error) {
            throw new TaskdRefusal("$name returned what JSON cannot hold: {$error->getMessage()}");
        }
        $size = strlen($text);
        if ($size <= self::MAX_ANSWER_BYTES) return $text;
        $told = json_decode($text, true)['msg'] ?? '';
        $msg = is_string($told) && $told !== '' ? self::cut($told)
            : "an answer of $size bytes: its data was left out";
        return json_encode(['code' => $said ? $code : 'succ', 'msg' => $msg, 'data' => []], self::JSON);
    }

    public static function fail(Throwable $error): void
    {
        $said = $error->getMessage();
        if (!$error instanceof TaskdRefusal) {
            $stderr = fopen('php://stderr', 'w');
            fwrite($stderr, "$error\n");
            if (get_class($error) !== 'Exception') $said = get_class($error) . ": $said";
            // Its message says what is wrong with a file, and not with which.
            if ($error instanceof ParseError)
                $said .= ' (' . basename($error->getFile()) . ", line {$error->getLine()})";
        }
        $answer = ['code' => 'fail', 'msg' => self::cut($said), 'data' => []];
        self::settle(json_encode($answer, self::JSON | JSON_INVALID_UTF8_SUBSTITUTE), 1);
    }

    /** To so many characters; without mbstring, which not every PHP has. */
    private static function cut(string $text): string
    {
        $matched = preg_match('/^.{0,' . self::MESSAGE_CHARACTERS . '}/us', $text, $match);
        return $matched === 1 ? $match[0] : substr($text, 0, self::MESSAGE_CHARACTERS);
    }

    private static function settle(string $text, int $status): void
    {
        while (ob_get_level() > 0 && ob_end_flush());
        // On a line of its own, whatever the function wrote before.
        echo "\n$text\n";
        flush();
        exit($status);
    }
}

/** What we say ourselves: its trace would tell nobody anything. */
final class TaskdRefusal extends Exception
{
}

try {
    // In the global scope, as the file would be by itself.
    TaskdFunction::run(require TaskdFunction::begin($argv[1]));
} catch (Throwable $error) {
    TaskdFunction::fail($error);
}
