#!/usr/bin/env php
<?php
// SPDX-License-Identifier: MIT
// Follows a task until it ends: poll.php http://HOST/bkflow TASK_ID
// Environment and exit status: see README.md beside this file.

declare(strict_types=1);

const ENDED = ['FINISHED' => 0, 'FAILED' => 1, 'REVOKED' => 1];
const USAGE_ERROR = 2;
const REFUSED = 3;
const GAVE_UP = 4;
const PASSING = [0, 429, 502, 503, 504]; // 0: no answer

function main(array $arguments): int
{
    $names = ['BK_APP_CODE', 'BK_APP_SECRET', 'BK_USERNAME'];
    $who = [];
    foreach ($names as $name) {
        $who[strtolower($name)] = (string) getenv($name);
    }
    $pause = number('POLL_SECONDS', 5);
    if (count($arguments) !== 3 || in_array('', $who, true) || $pause === 0) {
        fwrite(STDERR, "usage: BK_APP_CODE=... BK_APP_SECRET=... BK_USERNAME=... poll.php http://HOST/bkflow TASK_ID\n");
        return USAGE_ERROR;
    }
    $url = rtrim($arguments[1], '/') . "/task/{$arguments[2]}/get_task_states_by_app/";
    return follow($url, json_encode($who, JSON_THROW_ON_ERROR), $pause, microtime(true) + number('POLL_PATIENCE', 3600));
}

// A whole number from the environment; 0 for what is none.
function number(string $name, int $default): int
{
    $text = getenv($name);
    return $text === false ? $default : (ctype_digit($text) ? (int) $text : 0);
}

function follow(string $url, string $who, int $pause, float $deadline): int
{
    $etag = '';
    $shown = null;
    $failures = 0;
    while (true) {
        [$status, $headers, $body] = ask($url, $who, $etag);
        $wait = $pause;
        if ($status === 200) {
            $failures = 0;
            $etag = $headers['etag'] ?? '';
            $state = stateOf($body);
            if ($state === null) {
                fwrite(STDERR, "the answer is not to be understood\n");
                return REFUSED;
            }
            if ($state !== $shown) {
                echo $state, "\n";
                $shown = $state;
            }
            if (isset(ENDED[$state])) {
                return ENDED[$state];
            }
        } elseif ($status === 304) {
            $failures = 0;
        } elseif (in_array($status, PASSING, true)) {
            $failures++;
            $wait = retryAfter($headers) ?: $pause * 2 ** min($failures - 1, 4);
            fwrite(STDERR, "status $status, trying again in $wait s\n");
        } else {
            fwrite(STDERR, "refused with status $status: $body\n");
            return REFUSED;
        }
        if (microtime(true) + $wait >= $deadline) {
            fwrite(STDERR, "gave up, the last status was $status\n");
            return GAVE_UP;
        }
        sleep($wait);
    }
}

// One request: status, headers by their names in small letters, body. Redirects are not followed.
function ask(string $url, string $who, string $etag): array
{
    $headers = [];
    $request = curl_init($url);
    curl_setopt_array($request, [
        CURLOPT_HTTPHEADER => array_merge(["X-Bkapi-Authorization: $who"], $etag === '' ? [] : ["If-None-Match: $etag"]),
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 30,
        CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
        CURLOPT_HEADERFUNCTION => function ($_, string $line) use (&$headers): int {
            [$name, $value] = array_pad(explode(':', $line, 2), 2, '');
            $headers[strtolower($name)] = trim($value);
            return strlen($line);
        },
    ]);
    $body = curl_exec($request);
    if ($body === false) {
        fwrite(STDERR, curl_error($request) . "\n");
        return [0, [], ''];
    }
    return [curl_getinfo($request, CURLINFO_RESPONSE_CODE), $headers, $body];
}

// The task's state; null if this is no answer of the API, or one nested deeper than PHP can follow.
function stateOf(string $body): ?string
{
    return json_decode($body, true, 1 << 20)['data']['state'] ?? null;
}

function retryAfter(array $headers): int
{
    $text = $headers['retry-after'] ?? '';
    return ctype_digit($text) ? (int) $text : 0;
}

exit(main($argv));
