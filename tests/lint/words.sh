#!/bin/sh
# SPDX-License-Identifier: MIT
# No file names a folder of the machine that it was written on.
set -eu
cd "$(dirname "$0")/../.."

# Written so that this file does not match itself.
pattern='(^|[^[:alnum:]_.~-])/(wor[k]|roo[t]|hom[e]/[a-z][a-z0-9_-]*|User[s]/[A-Za-z]+)(/|$)'

# What git has or would take; in an unpacked release, everything.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard
else
    find . -type f ! -name '*.o' ! -name '*.log' ! -name 'config.*' ! -path './autom4te.cache/*' -print0
fi | xargs -0 grep -nIE "$pattern" /dev/null >&2 && {
    echo "words: these lines name a folder of somebody's machine" >&2
    exit 1
}
exit 0
