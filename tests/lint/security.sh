#!/bin/sh
# SPDX-License-Identifier: MIT
# Every test that docs/security.md names as file::name is there, as a function of that file.
set -eu
cd "$(dirname "$0")/../.."

document=docs/security.md
status=0
names=$(grep -oE '`test_[a-z_]+\.py::[A-Za-z_0-9]+`' "$document" | tr -d '`' | sort -u)

if [ "$(echo "$names" | wc -l)" -lt 20 ]; then
    echo "$document:1: hardly any tests are named" >&2
    status=1
fi
for name in $names; do
    file=tests/it/${name%%::*}
    if ! grep -qsE "^ *def ${name##*::}\(" "$file"; then
        line=$(grep -nF -m 1 "$name" "$document" | cut -d: -f1)
        echo "$document:$line: there is no ${name##*::} in $file" >&2
        status=1
    fi
done
# What looks like a test but is written in another way would not be checked.
if grep -nE 'test_[a-z_]+\.py' "$document" | sed -E 's/`test_[a-z_]+\.py::[A-Za-z_0-9]+`//g' | grep -E 'test_[a-z_]+\.py' >&2; then
    echo "$document: name tests as \`file::name\`" >&2
    status=1
fi
exit $status
