#!/bin/sh
# SPDX-License-Identifier: MIT
# Follows a task until it ends: poll.sh http://HOST/bkflow TASK_ID
# Environment and exit status: see README.md beside this file.
set -eu

main() {
    if [ $# -ne 2 ] || [ -z "${BK_APP_CODE:-}" ] || [ -z "${BK_APP_SECRET:-}" ] || [ -z "${BK_USERNAME:-}" ]; then
        usage
    fi
    # A line break would end the header.
    case $BK_APP_CODE$BK_APP_SECRET$BK_USERNAME in
    *[[:cntrl:]]*) usage ;;
    esac
    url="${1%/}/task/$2/get_task_states_by_app/"
    pause=${POLL_SECONDS:-5}
    [ "$pause" -ge 1 ] || usage
    deadline=$(($(date +%s) + ${POLL_PATIENCE:-3600}))
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 130' INT TERM
    etag='' shown='' failures=0
    while :; do
        status=$(ask) || status=000
        wait=$pause
        case $status in
        200) take_answer ;;
        304) failures=0 ;;
        000 | 429 | 502 | 503 | 504) plan_retry ;;
        *) refuse ;;
        esac
        [ $(($(date +%s) + wait)) -lt "$deadline" ] || give_up
        sleep "$wait"
    done
}

usage() {
    echo 'usage: BK_APP_CODE=... BK_APP_SECRET=... BK_USERNAME=... poll.sh http://HOST/bkflow TASK_ID' >&2
    exit 2
}

# One request; says its status. curl reads the headers from its standard input, because its arguments
# can be read by everybody on this machine. printf is part of the shell and has none.
ask() {
    {
        printf 'X-Bkapi-Authorization: {"bk_app_code": "%s", "bk_app_secret": "%s", "bk_username": "%s"}\n' \
            "$(json "$BK_APP_CODE")" "$(json "$BK_APP_SECRET")" "$(json "$BK_USERNAME")"
        [ -z "$etag" ] || printf 'If-None-Match: %s\n' "$etag"
    } | curl -sS --max-time 30 --proto '=http,https' -H @- \
        -D "$folder/head" -o "$folder/body" -w '%{http_code}' -- "$url"
}

# A text as it may stand inside a JSON string.
json() {
    printf '%s' "$1" | sed 's/[\\"]/\\&/g'
}

header() {
    tr -d '\r' <"$folder/head" | sed -n "s/^$1: *//Ip"
}

# The first "state" of an answer is the task's own: it stands before the nodes below.
take_answer() {
    failures=0
    etag=$(header ETag)
    state=$(grep -o '"state":"[^"]*"' "$folder/body" | head -n 1 | cut -d '"' -f 4)
    [ -n "$state" ] || refuse
    [ "$state" = "$shown" ] || echo "$state"
    shown=$state
    case $state in
    FINISHED) exit 0 ;;
    FAILED | REVOKED) exit 1 ;;
    esac
}

# As long as the server asks for, else twice as long each time.
plan_retry() {
    failures=$((failures + 1))
    wait=0
    [ "$status" = 000 ] || wait=$(header Retry-After | grep -x '[0-9]*' || echo 0)
    [ "$wait" -gt 0 ] || wait=$((pause << (failures < 5 ? failures - 1 : 4)))
    echo "status $status, trying again in $wait s" >&2
}

refuse() {
    echo "refused with status $status: $(cat "$folder/body")" >&2
    exit 3
}

give_up() {
    echo "gave up, the last status was $status" >&2
    exit 4
}

main "$@"
