#!/usr/bin/env php
<?php

// What taskd runs for each row: send_msg.php process send_msg 'phone=...&text=...'
// It answers with one line of JSON, which goes into the column `result` of its row.

require __DIR__ . '/Message.php';

[, , , $query] = $argv + [1 => '', 2 => '', 3 => ''];
parse_str($query, $param);

// The same over all tries of one row: a provider that is given it sends nothing twice.
$message = new Message(getenv('TASKD_TASK_ID') ?: 'by-hand');
try {
    $receipt = $message->send($param['phone'] ?? '', $param['text'] ?? '');
    echo json_encode(['code' => 'succ', 'msg' => 'sent', 'data' => ['receipt' => $receipt]]), "\n";
} catch (InvalidArgumentException $wrong) {
    // Trying again would not help: no retry for a code of one's own.
    echo json_encode(['code' => 'refused', 'msg' => $wrong->getMessage(), 'data' => []]), "\n";
} catch (RuntimeException $failure) {
    echo json_encode(['code' => 'fail', 'msg' => $failure->getMessage(), 'data' => []]), "\n";
}
