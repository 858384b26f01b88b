#!/bin/sh
# SPDX-License-Identifier: MIT
# Follows a task until it ends: follow.sh http://HOST/bkflow TASK_ID
# Environment and exit status: see README.md in this folder.
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
    wait=${WAIT_SECONDS:-30} pause=${POLL_SECONDS:-2} patience=${PATIENCE_SECONDS:-3600}
    [ "$wait" -ge 0 ] && [ "$pause" -ge 1 ] && [ "$patience" -ge 1 ] || usage
    deadline=$(($(date +%s) + patience))
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 130' INT TERM
    version='' shown='' failures=0
    while :; do
        asked=$(date +%s)
        left=$((deadline - asked))
        [ "$wait" -le "$left" ] || wait=$((left > 1 ? left : 1))
        status=$(ask) || status=000
        rest=0
        case $status in
        200) take_answer ;;
        000 | 429 | 502 | 503 | 504) plan_retry ;;
        *) refuse ;;
        esac
        [ $(($(date +%s) + rest)) -lt "$deadline" ] || give_up
        sleep "$rest"
    done
}

usage() {
    echo 'usage: BK_APP_CODE=... BK_APP_SECRET=... BK_USERNAME=... follow.sh http://HOST/bkflow TASK_ID' >&2
    exit 2
}

# One request; prints its status. curl reads the header from its standard input, because its arguments
# can be read by everybody on this machine. printf is part of the shell and has none.
ask() {
    printf 'X-Bkapi-Authorization: {"bk_app_code": "%s", "bk_app_secret": "%s", "bk_username": "%s"}\n' \
        "$(json "$BK_APP_CODE")" "$(json "$BK_APP_SECRET")" "$(json "$BK_USERNAME")" |
        curl -sS --max-time $((wait + 30)) --proto '=http,https' -H @- -D "$folder/head" -o "$folder/body" \
            -w '%{http_code}' --get -d "wait=${wait}s" --data-urlencode "version=$version" -- "$url"
}

# A text as it may be inside a JSON string.
json() {
    printf '%s' "$1" | sed 's/[\\"]/\\&/g'
}

header() {
    tr -d '\r' <"$folder/head" | sed -n "s/^$1: *//Ip"
}

# The first "state" of an answer is the task's own: the nodes come after it.
take_answer() {
    failures=0
    state=$(grep -o '"state":"[^"]*"' "$folder/body" | head -n 1 | cut -d '"' -f 4)
    [ -n "$state" ] || refuse
    [ "$state" = "$shown" ] || echo "$state"
    shown=$state
    case $state in
    FINISHED) exit 0 ;;
    FAILED | REVOKED) exit 1 ;;
    esac
    known=$version
    version=$(header X-States-Version)
    took=$(($(date +%s) - asked))
    # The server did not wait.
    if [ -z "$version" ] || { [ "$version" = "$known" ] && [ "$took" -lt $((wait > 1 ? wait : 1)) ]; }; then
        rest=$pause
    fi
}

# As long as the server asks for, else twice as long each time.
plan_retry() {
    [ "$status" = 000 ] || rest=$(header Retry-After | grep -x '[0-9]*' || echo 0)
    [ "$rest" -gt 0 ] || rest=$((pause << (failures < 4 ? failures : 4)))
    failures=$((failures + 1))
    echo "status $status, trying again in $rest s" >&2
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
