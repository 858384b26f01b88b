#!/usr/bin/env php
<?php
// SPDX-License-Identifier: MIT
// Follows a task until it ends: follow.php http://HOST/bkflow TASK_ID
// Environment and exit status: see README.md in this folder.

declare(strict_types=1);

const ENDED = ['FINISHED' => 0, 'FAILED' => 1, 'REVOKED' => 1];
const USAGE_ERROR = 2;
const REFUSED = 3;
const GAVE_UP = 4;
const TEMPORARY = [0, 429, 502, 503, 504]; // 0: no answer

function main(array $arguments): int
{
    $who = [];
    foreach (['BK_APP_CODE', 'BK_APP_SECRET', 'BK_USERNAME'] as $name) {
        $who[strtolower($name)] = (string) getenv($name);
    }
    [$wait, $pause, $patience] = [number('WAIT_SECONDS', 30), number('POLL_SECONDS', 2), number('PATIENCE_SECONDS', 3600)];
    if (count($arguments) !== 3 || in_array('', $who, true) || $wait === null || !$pause || !$patience) {
        fwrite(STDERR, "usage: BK_APP_CODE=... BK_APP_SECRET=... BK_USERNAME=... follow.php http://HOST/bkflow TASK_ID\n");
        return USAGE_ERROR;
    }
    $url = rtrim($arguments[1], '/') . "/task/{$arguments[2]}/get_task_states_by_app/";
    return follow($url, json_encode($who, JSON_THROW_ON_ERROR), $wait, $pause, microtime(true) + $patience);
}

// A whole number from the environment; null for anything else.
function number(string $name, int $default): ?int
{
    $text = getenv($name);
    return $text === false ? $default : (ctype_digit($text) ? (int) $text : null);
}

function follow(string $url, string $who, int $wait, int $pause, float $deadline): int
{
    [$version, $shown, $failures] = ['', null, 0];
    while (true) {
        $asked = microtime(true);
        $wait = min($wait, max((int) ($deadline - $asked), 1));
        [$status, $headers, $body] = ask("$url?wait={$wait}s&version=" . rawurlencode($version), $who, $wait + 30);
        $rest = 0;
        if ($status === 200) {
            $failures = 0;
            $state = stateOf($body);
            if ($state === null) {
                fwrite(STDERR, "the answer cannot be understood\n");
                return REFUSED;
            }
            if ($state !== $shown) {
                echo $state, "\n";
                $shown = $state;
            }
            if (isset(ENDED[$state])) {
                return ENDED[$state];
            }
            [$known, $version] = [$version, $headers['x-states-version'] ?? ''];
            $isEarly = microtime(true) - $asked < max($wait, 1);
            if ($version === '' || ($version === $known && $isEarly)) {
                $rest = $pause; // the server did not wait
            }
        } elseif (in_array($status, TEMPORARY, true)) {
            $rest = retryAfter($headers) ?: $pause * 2 ** min($failures, 4);
            $failures++;
            fwrite(STDERR, "status $status, trying again in $rest s\n");
        } else {
            fwrite(STDERR, "refused with status $status: $body\n");
            return REFUSED;
        }
        if (microtime(true) + $rest >= $deadline) {
            fwrite(STDERR, "gave up, the last status was $status\n");
            return GAVE_UP;
        }
        sleep($rest);
    }
}

// One request: status, headers by their names in small letters, body. Redirects are not followed.
function ask(string $url, string $who, int $seconds): array
{
    $headers = [];
    $request = curl_init($url);
    curl_setopt_array($request, [
        CURLOPT_HTTPHEADER => ["X-Bkapi-Authorization: $who"],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => $seconds,
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
