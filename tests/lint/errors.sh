#!/bin/sh
# SPDX-License-Identifier: MIT
# The table of error codes in docs/api.md says what src/base/error.h does: same causes, each with its status and
# code; and every code begins with its status.
set -eu
cd "$(dirname "$0")/../.."

exec awk '
    # X(ERR_TASK_ID, 400, 40001, "task_id", ...
    FILENAME ~ /error[.]h$/ && /^ *X\(ERR_/ {
        split($0, parts, /[(,"] */)
        cause = parts[6]
        header[cause] = parts[3] " " parts[4]
        line[cause] = FNR
        if (substr(parts[4], 1, 3) != parts[3]) {
            complain(FILENAME ":" FNR, cause ": code " parts[4] " does not begin with its status " parts[3])
        }
    }
    # | 400 | 40001 | `task_id` | when |
    FILENAME ~ /api[.]md$/ && /^[|] *[0-9][0-9][0-9] *[|] *[0-9]+ *[|]/ {
        split($0, cells, / *[|] */)
        cause = cells[4]
        gsub(/`/, "", cause)
        documented[cause] = 1
        if (!(cause in header)) {
            complain(FILENAME ":" FNR, "src/base/error.h has no cause " cause)
        } else if (header[cause] != cells[2] " " cells[3]) {
            complain(FILENAME ":" FNR, cause " is " header[cause] " in src/base/error.h, not " cells[2] " " cells[3])
        }
    }
    function complain(place, text) {
        printf "%s: %s\n", place, text > "/dev/stderr"
        failed = 1
    }
    END {
        for (cause in header) {
            causes++
            if (!(cause in documented)) {
                complain("src/base/error.h:" line[cause], "docs/api.md does not list " cause " (" header[cause] ")")
            }
        }
        if (causes < 10) {
            complain("src/base/error.h:1", "no table of error kinds found")
        }
        exit failed
    }
' src/base/error.h docs/api.md
