<?php

// The database of the application: DSN, DB_USER and DB_PASSWORD in the environment.

function database(): PDO
{
    $dsn = getenv('DSN') ?: 'mysql:host=127.0.0.1;dbname=shop;charset=utf8mb4';
    $options = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 5];
    return new PDO($dsn, getenv('DB_USER') ?: null, getenv('DB_PASSWORD') ?: null, $options);
}
