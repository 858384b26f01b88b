#!/bin/sh
# SPDX-License-Identifier: MIT
# Files stay readable: none of the program has more than 450 lines, none of the tests, which are lists of cases, more
# than 1300, and no function in Python more than 80. The functions in C are clang-tidy's affair.
set -eu
cd "$(dirname "$0")/../.."

FUNCTION_LINES=80
FILE_LINES=450
TEST_FILE_LINES=1300

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
    if [ "$lines" -gt "$most" ]; then
        echo "$file:$lines: the file has $lines lines, $most are allowed" >&2
        status=1
    fi
done

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
