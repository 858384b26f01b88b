#!/bin/sh
# SPDX-License-Identifier: MIT
# C files are formatted as .clang-format says. "format.sh --fix" formats them.
#
# Versions of clang-format differ in details; the tree is formatted with version 14, which is taken
# where it is installed under its own name.
set -eu
cd "$(dirname "$0")/../.."

formatter=clang-format-14
command -v "$formatter" >/dev/null || formatter=clang-format
version=$("$formatter" --version) # not there: the end

files=$(find src fcgi-app tests -name '*.[ch]')
status=0
for file in $files; do
    if [ "${1:-}" = --fix ]; then
        "$formatter" -i "$file"
    elif ! line=$("$formatter" "$file" | cmp - "$file"); then
        echo "$file:${line##* line }: not formatted" >&2
        status=1
    fi
done
if [ "$status" != 0 ]; then
    echo "format: tests/lint/format.sh --fix puts this right, with version 14; this is $version" >&2
fi
exit $status
