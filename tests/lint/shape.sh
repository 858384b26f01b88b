#!/bin/sh
# SPDX-License-Identifier: MIT
# Functions and files stay readable: no function above 80 lines, no file of the program above 450.
# Tests, which are lists of cases, may have files of 1300.
#
# In C files a function's braces stand alone in the first column, which format.sh sees to.
set -eu
cd "$(dirname "$0")/../.."

FUNCTION_LINES=80
FILE_LINES=450
TEST_FILE_LINES=1300

# Files that are allowed more, each with a reason. A file that no longer needs it must leave the list.
exceptions='
tests/unit/conf/test_conf.c 1500  a row for each key and each mistake
'

c_files=$(find src fcgi-app tests -name '*.[ch]')
python_files=$(find tests -name '*.py')
shell_files=$(find tests/run tests/it/run tests/lint .ci -type f 2>/dev/null)

status=0

# shellcheck disable=SC2086 # lists
for file in $c_files $python_files $shell_files; do
    lines=$(wc -l <"$file")
    case $file in
    tests/*) most=$TEST_FILE_LINES ;;
    *) most=$FILE_LINES ;;
    esac
    exception=$(echo "$exceptions" | awk -v file="$file" '$1 == file { print $2 }')
    if [ "$lines" -gt "${exception:-$most}" ]; then
        echo "$file:$lines: the file has $lines lines, ${exception:-$most} are allowed" >&2
        status=1
    elif [ -n "$exception" ] && [ "$lines" -le "$most" ]; then
        echo "tests/lint/shape.sh:1: $file has only $lines lines: take it off the list of exceptions" >&2
        status=1
    fi
done

# shellcheck disable=SC2086 # a list
awk -v most="$FUNCTION_LINES" '
    /^[a-z_].*\(/ { head = FNR }
    /^\{$/ { start = head }
    /^\}$/ && start > 0 {
        functions++
        if (FNR - start + 1 > most) {
            printf "%s:%d: the function has %d lines, %d are allowed\n", FILENAME, start,
                FNR - start + 1, most > "/dev/stderr"
            failed = 1
        }
        start = 0
    }
    END {
        if (functions < 10) {
            print "shape: no functions found" > "/dev/stderr"
            failed = 1
        }
        exit failed
    }' $c_files || status=1

# shellcheck disable=SC2086 # a list
FUNCTION_LINES=$FUNCTION_LINES /usr/bin/python3 - $python_files <<'END' || status=1
import ast, os, sys
most = int(os.environ["FUNCTION_LINES"])
failed = False
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = node.end_lineno - node.lineno + 1
            if lines > most:
                print(f"{path}:{node.lineno}: {node.name} has {lines} lines, {most} are allowed", file=sys.stderr)
                failed = True
sys.exit(failed)
END
exit $status
