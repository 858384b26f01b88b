<?php
// SPDX-License-Identifier: MIT
require __DIR__ . '/answer.php';

function database(): mysqli
{
    static $db = null;
    if ($db === null) {
        $db = mysqli_connect('p:localhost', $_SERVER['DB_USER'], $_SERVER['DB_PASSWORD'], $_SERVER['DB_NAME'], 0,
            $_SERVER['DB_SOCKET']);
        $db->set_charset('utf8mb4');
    }
    return $db;
}

function fetch_facts(string $user, int $task, string $app): ?array
{
    return database()->execute_query(FACTS_SQL, [$user, $task, $app])->fetch_assoc();
}

function fetch_states(string $root): array
{
    return database()->execute_query(STATES_SQL, [$root])->fetch_all(MYSQLI_NUM);
}

serve();
