<?php
// SPDX-License-Identifier: MIT
require __DIR__ . '/answer.php';

function database(): PDO
{
    static $db = null;
    return $db ??= new PDO("mysql:unix_socket={$_SERVER['DB_SOCKET']};dbname={$_SERVER['DB_NAME']};charset=utf8mb4",
        $_SERVER['DB_USER'], $_SERVER['DB_PASSWORD'], [PDO::ATTR_PERSISTENT => true,
            PDO::ATTR_EMULATE_PREPARES => (bool)($_SERVER['DB_EMULATE'] ?? true)]);
}

function fetch_facts(string $user, int $task, string $app): ?array
{
    $statement = database()->prepare(FACTS_SQL);
    $statement->execute([$user, $task, $app]);
    return $statement->fetch(PDO::FETCH_ASSOC) ?: null;
}

function fetch_states(string $root): array
{
    $statement = database()->prepare(STATES_SQL);
    $statement->execute([$root]);
    return $statement->fetchAll(PDO::FETCH_NUM);
}

serve();
