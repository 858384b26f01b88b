#!/bin/sh
# SPDX-License-Identifier: MIT
# What the built program says of its keys (--print-reference) is what conf/bkflow-states.conf and
# docs/man/bkflow-states.conf.5 say, and mandoc finds nothing to complain about in the manual pages.
# "manual.sh --fix" writes both. Needs a build in BUILDDIR.
set -eu
cd "$(dirname "$0")/../.."
program=${BUILDDIR:-.}/bkflow-states
sample=conf/bkflow-states.conf
manual=docs/man/bkflow-states.conf.5

if [ ! -x "$program" ]; then
    echo "manual: $program is missing: build first, or set BUILDDIR" >&2
    exit 1
fi
if [ "$(command -v mandoc)" = "" ]; then
    echo "manual: mandoc is missing" >&2
    exit 1
fi

reference=$(mktemp)
written=$(mktemp)
trap 'rm -f "$reference" "$written"' EXIT
"$program" --print-reference >"$reference"

# The keys as mdoc: a list for each section, a line of source for each sentence.
keys() {
    awk '
        # Long lines are broken at blanks, and no word at the start of a line may look like a request.
        function put(text,    count, words, i, line) {
            gsub(/\\/, "\\e", text)
            count = split(text, words, " ")
            line = ""
            for (i = 1; i <= count; i++) {
                if (line != "" && length(line " " words[i]) > 76) {
                    print line
                    line = ""
                }
                line = line (line == "" ? "" : " ") words[i]
            }
            if (line != "") {
                print (line ~ /^[.\47]/ ? "\\&" : "") line
            }
        }
        function put_sentences(text) {
            while (match(text, /[.] [A-Z0-9]/)) {
                put(substr(text, 1, RSTART))
                text = substr(text, RSTART + 2)
            }
            put(text)
        }
        function end_list() {
            if (in_list) {
                print ".El"
            }
            in_list = 0
        }
        /^\[.*\]$/ {
            end_list()
            print ".Ss \\(lB" substr($0, 2, length($0) - 2) "\\(rB"
            about = ""
            next
        }
        /^# / {
            about = about (about == "" ? "" : " ") substr($0, 3)
            next
        }
        /^#[a-zA-Z_]+ =/ {
            if (!in_list) {
                print ".Bl -tag -width Ds"
                in_list = 1
            }
            match($0, / = ?/)
            key = substr($0, 2, RSTART - 2)
            value = substr($0, RSTART + RLENGTH)
            print ".It Cm " key (value == "" ? "" : " No = " value)
            put_sentences(about)
            about = ""
            next
        }
        # What stands before an empty line is about the section.
        /^$/ {
            put_sentences(about)
            about = ""
            next
        }
        {
            printf "manual: cannot read this line of the reference: %s\n", $0 >"/dev/stderr"
            exit 1
        }
        END { end_list() }' "$reference"
}

# The manual page with these keys in it.
page() {
    sed '/^[.]\\" The keys are written/q' "$manual"
    keys
    sed -n '/^[.]\\" End of the keys/,$p' "$manual"
}

page >"$written"
if [ "$(grep -c '^[.]It Cm' "$written")" -lt 20 ]; then
    echo "manual: too few keys found in the output of --print-reference" >&2
    exit 1
fi
if [ "${1:-}" = --fix ]; then
    cp "$reference" "$sample"
    cp "$written" "$manual"
fi

status=0
if ! cmp -s "$reference" "$sample"; then
    diff -u "$sample" "$reference" >&2 || true
    echo "$sample:1: not what --print-reference prints; tests/lint/manual.sh --fix puts this right" >&2
    status=1
fi
if ! cmp -s "$written" "$manual"; then
    diff -u "$manual" "$written" >&2 || true
    echo "$manual:1: other keys than --print-reference prints; tests/lint/manual.sh --fix puts this right" >&2
    status=1
fi
# Whether the pages that ours refer to are installed on this machine is not our page's affair.
mandoc -T lint -W all docs/man/*.[1-8] 2>&1 | grep -vE 'referenced manual not found|outdated mandoc.db' >"$written" || true
if [ -s "$written" ]; then
    cat "$written" >&2
    status=1
fi
exit $status
