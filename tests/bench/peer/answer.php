<?php
// SPDX-License-Identifier: MIT
// What bkflow-states answers, written in PHP as well as PHP allows: the same checks, the same JSON.
// mysqli.php and pdo.php bring the two functions that ask the database: fetch_facts and fetch_states.

// Application, user, task and template by key, in one round trip.
const FACTS_SQL = 'SELECT a.bk_app_code, a.salt, a.secret_digest, a.previous_digest,
    a.previous_expires_at > UTC_TIMESTAMP(6) AS previous_holds, a.is_enabled, u.username, u.is_active,
    t.id, t.is_deleted, t.template_id, t.is_started, t.is_expired, t.instance_id,
    p.id AS template, p.is_deleted AS template_deleted, p.bk_app_code AS bound_app
    FROM bkflow_states_app a LEFT JOIN account_user u ON u.username = ?
    LEFT JOIN task_taskinstance t ON t.id = ? LEFT JOIN template_template p ON p.id = t.template_id
    WHERE a.bk_app_code = ?';

const STATES_SQL = 'SELECT node_id, parent_id, name, version, `loop`, retry, skip, error_ignored, started_time,
    archived_time FROM eri_state WHERE root_id = ? ORDER BY id';

function answer(int $status, string $body, array $headers = []): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    header('Cache-Control: no-cache');
    header('X-Content-Type-Options: nosniff');
    foreach ($headers as $header) {
        header($header);
    }
    if ($status !== 304) {
        echo $body;
    }
    exit;
}

function refuse(int $status, int $code, string $message): never
{
    answer($status, json_encode(['result' => false, 'message' => $message, 'code' => $code, 'data' => null,
        'trace_id' => trace_id()]));
}

function trace_id(): string
{
    static $id = null;
    return $id ??= bin2hex(random_bytes(16));
}

function task_id(): int
{
    $path = $_SERVER['PATH_INFO'] ?? '';
    if (!preg_match('~^/task/(\d{1,18})/get_task_states_by_app/?$~D', $path, $found)) {
        refuse(400, 40001, 'bad task_id');
    }
    return (int)$found[1];
}

function credentials(): array
{
    $given = json_decode($_SERVER['HTTP_X_BKAPI_AUTHORIZATION'] ?? '', true);
    foreach (['bk_app_code', 'bk_app_secret', 'bk_username'] as $name) {
        if (!is_string($given[$name] ?? null)) {
            refuse(401, 40101, "$name is missing");
        }
    }
    return [$given['bk_app_code'], $given['bk_app_secret'], $given['bk_username']];
}

function check_caller(?array $facts, string $app, string $secret, string $user): void
{
    $digest = hash('sha256', ($facts['salt'] ?? str_repeat("\0", 16)) . $secret, true);
    $is_right = hash_equals($facts['secret_digest'] ?? str_repeat("\0", 32), $digest);
    if (isset($facts['previous_digest'])) {
        $is_right |= hash_equals($facts['previous_digest'], $digest) && $facts['previous_holds'];
    }
    if (!$is_right || $facts === null || $facts['bk_app_code'] !== $app || !$facts['is_enabled']) {
        refuse(401, 40102, 'bk_app_code or bk_app_secret is wrong');
    }
    if ($facts['username'] !== $user || !$facts['is_active']) {
        refuse(401, 40103, 'bk_username is not an active user');
    }
}

function check_binding(array $facts, int $task, string $app): void
{
    $template = $facts['template_id'];
    if ($facts['id'] === null || $facts['is_deleted']) {
        refuse(404, 40402, "Task does not exist. task_id=$task");
    }
    if (!$template) {
        refuse(403, 40301, "Task is not associated with any template. task_id=$task");
    }
    if ($facts['template'] === null || $facts['template_deleted']) {
        refuse(404, 40403, "Template associated with task does not exist. task_id=$task, template_id=$template");
    }
    if ((string)$facts['bound_app'] === '') {
        refuse(403, 40302, "Template associated with task is not bindedto any bk_app_code. task_id=$task, " .
            "template_id=$template");
    }
    if ($facts['bound_app'] !== $app) {
        refuse(403, 40303, 'The current application does not have permission to operate this task, ' .
            "app=$app, template bindedapp={$facts['bound_app']}");
    }
}

// Rows hold 'YYYY-MM-DD HH:MM:SS.ffffff' in UTC, PHP's zone here. PHP takes a date apart once a day:
// nodes of a task share it.
function seconds(string $time): float
{
    static $midnights = [];
    $midnight = $midnights[substr($time, 0, 10)] ??= strtotime(substr($time, 0, 10));
    return $midnight + (int)substr($time, 11, 2) * 3600 + (int)substr($time, 14, 2) * 60 + (float)substr($time, 17);
}

// Once an hour, likewise. Asia/Shanghai has had +0800 and nothing else since 1991; keep to dates after that.
function shown_time(?string $time): string
{
    static $hours = [];
    if ($time === null) {
        return '';
    }
    $hour = substr($time, 0, 13);
    return ($hours[$hour] ??= gmdate('Y-m-d H', strtotime("$hour:00") + 28800)) . substr($time, 13, 6) . ' +0800';
}

function node(array $row, string $root, float $now): array
{
    [$id, $parent, $state, $version, $loop, $retry, $skip, $ignored, $started, $archived] = $row;
    $elapsed = $started === null ? 0
        : (int)round(($archived === null ? $now : seconds($archived)) - seconds($started), 0, PHP_ROUND_HALF_EVEN);
    $ignored = (bool)$ignored;
    return [
        'id' => $id, 'state' => $state, 'root_id:' => $root, 'root_id' => $root,
        'parent_id' => $id === $root ? $root : $parent, 'version' => $version,
        'loop' => (int)$loop, 'retry' => (int)$retry, 'skip' => (bool)$skip,
        'error_ignorable' => $ignored, 'error_ignored' => $ignored, 'children' => [],
        'elapsed_time' => $elapsed, 'start_time' => shown_time($started), 'finish_time' => shown_time($archived),
    ];
}

// Bottom-up: a RUNNING node with a FAILED child reads FAILED, else with a SUSPENDED child NODE_SUSPENDED.
function roll_up(array &$node): void
{
    $states = [];
    foreach ($node['children'] as &$child) {
        if ($child['children']) {
            roll_up($child);
        }
        $states[$child['state']] = true;
    }
    if ($node['state'] === 'RUNNING') {
        if (isset($states['FAILED'])) {
            $node['state'] = 'FAILED';
        } elseif (isset($states['SUSPENDED'])) {
            $node['state'] = 'NODE_SUSPENDED';
        }
    }
}

function tree(array $rows, string $root): array
{
    $now = microtime(true);
    $nodes = [];
    foreach ($rows as $row) {
        $nodes[$row[0]] = node($row, $root, $now);
    }
    if (!isset($nodes[$root])) {
        refuse(500, 50002, 'no root row');
    }
    foreach ($nodes as $id => &$node) { // references: a child may come before its own children
        if ($id !== $root && isset($nodes[$node['parent_id']])) {
            $nodes[$node['parent_id']]['children'][$id] = &$node;
        }
    }
    roll_up($nodes[$root]);
    return $nodes[$root];
}

function states_json(array $facts): string
{
    if (!$facts['is_started']) {
        return '{"start_time":null,"state":"CREATED","retry":0,"skip":0,"finish_time":null,"elapsed_time":0,' .
            '"children":{}}';
    }
    $rows = fetch_states($facts['instance_id']);
    if (!$rows) {
        return '{"state":"CREATED"}';
    }
    // Every array in a tree is a map, so an empty one must be {} as well.
    return json_encode(tree($rows, $facts['instance_id']),
        JSON_FORCE_OBJECT | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE, 100000);
}

function serve(): never
{
    $task = task_id();
    [$app, $secret, $user] = credentials();
    $facts = fetch_facts($user, $task, $app);
    check_caller($facts, $app, $secret, $user);
    check_binding($facts, $task, $app);
    $data = states_json($facts);
    $headers = ['ETag: "' . hash('xxh3', $data) . '"', 'X-Request-Id: ' . trace_id()];
    if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? null) === substr($headers[0], 6)) {
        answer(304, '', $headers);
    }
    answer(200, '{"result":true,"data":' . $data . ',"message":"","code":0,"trace_id":"' . trace_id() . '"}', $headers);
}
