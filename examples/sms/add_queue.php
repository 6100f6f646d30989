#!/usr/bin/env php
<?php

// php add_queue.php PHONE TEXT [SECONDS]
// What an application does when somebody has ordered something: the order and the message about it
// are written in one transaction, so there is never one without the other.

require __DIR__ . '/database.php';
require __DIR__ . '/Queue.class.php';

[, $phone, $text, $later] = $argv + [1 => '', 2 => '', 3 => '0'];
if ($phone === '' || $text === '') {
    fwrite(STDERR, "usage: add_queue.php PHONE TEXT [SECONDS]\n");
    exit(2);
}

$db = database();
$queue = new Queue($db);
$db->beginTransaction();
// ... INSERT INTO orders ...
$startTime = $later > 0 ? time() + (int) $later : 0;
$id = $queue->add('send_msg', ['phone' => $phone, 'text' => $text], $startTime);
$db->commit();
echo $id, "\n";
