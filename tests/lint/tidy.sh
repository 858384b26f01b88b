#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-tidy (which checks: .clang-tidy) and cppcheck find nothing in src/ and fcgi-app/ but what
# tests/lint/accepted lists with a reason. Needs a configured build in BUILDDIR, for its flags.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILDDIR:-.}
accepted=tests/lint/accepted

if [ ! -f "$build/Makefile" ]; then
    echo "tidy: $build/Makefile is missing: configure first, or set BUILDDIR" >&2
    exit 1
fi

tidy=clang-tidy-14
command -v "$tidy" >/dev/null || tidy=clang-tidy

# The flags that the preprocessor needs, as the Makefile has them, quoted for the shell.
build_flags() {
    # shellcheck disable=SC2016 # the variables are make's
    printf '%s\n' 'include Makefile' \
        'print-flags: ; $(info $(DEFS) $(AM_CPPFLAGS) $(FCGI_CFLAGS) $(JSON_C_CFLAGS) $(MYSQL_CFLAGS) $(CRYPTO_CFLAGS) $(INIH_CFLAGS)) @:' |
        make --no-print-directory -s -C "$build" -f - print-flags
}

findings=$(mktemp)
output=$(mktemp)
complaints=$(mktemp)
trap 'rm -f "$findings" "$output" "$complaints"' EXIT

# One file per process: clang 14's analyzer carries state from one file to the next.
# shellcheck disable=SC2120
run_clang_tidy() {
    eval "set -- $(build_flags)"
    find src fcgi-app -name '*.c' -print0 |
        xargs -0 -P "$(nproc)" -I '{}' "$tidy" --quiet '{}' -- -std=gnu11 -Wall -Wextra "$@"
}

# shellcheck disable=SC2119 # it has no arguments; its own are the flags
if ! run_clang_tidy >"$output" 2>"$complaints" && ! grep -q ': error: ' "$output"; then
    cat "$complaints" >&2
    echo "tidy: clang-tidy did not run" >&2
    exit 1
fi
# "/path/src/x.c:1:2: error: text [check,-warnings-as-errors]" becomes "src/x.c:1: text [check]".
sed -nE 's/^(.*[/])?((src|fcgi-app)[/][^:]*:[0-9]+):[0-9]+: (warning|error): (.*) \[([^],]*).*\]$/\2: \5 [\6]/p' "$output" |
    sort -u >"$findings"

# --library=gnu,posix: what strdup and the like return. The libraries' own headers stay out: without
# them their macros are calls like any other.
cppcheck --quiet --std=c11 -j"$(nproc)" --enable=warning,style,performance,portability \
    --library=posix,gnu --inline-suppr -D__GNUC__ -D_GNU_SOURCE -DPACKAGE_VERSION='"0"' -DDEFAULT_CONFIG='"x"' \
    -Isrc -Ifcgi-app --template='{file}:{line}: {message} [{id}]' src fcgi-app 2>>"$findings"

awk '
    FILENAME ~ /accepted$/ {
        if (NF > 0 && $1 !~ /^#/) {
            if (NF < 3) {
                complain(FILENAME ":" FNR ": a line has a file, a check and a reason")
            }
            place[$1 " " $2] = FILENAME ":" FNR
        }
        next
    }
    {
        file = $0
        sub(/:.*/, "", file)
        check = $NF
        gsub(/[][]/, "", check)
        used[file " " check] = 1
        if (!((file " " check) in place)) {
            complain($0)
        }
    }
    function complain(text) {
        print text > "/dev/stderr"
        failed = 1
    }
    END {
        for (entry in place) {
            if (!(entry in used)) {
                complain(place[entry] ": nothing to accept any more: " entry)
            }
        }
        exit failed
    }
' "$accepted" "$findings"
