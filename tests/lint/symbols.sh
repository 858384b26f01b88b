#!/bin/sh
# SPDX-License-Identifier: MIT
# What the object files tell: exported names begin with their file's stem or their directory and are needed elsewhere,
# src/ keeps no variables, nobody calls what cannot bound its output, and what is reserved for one module is called by
# that alone. Needs a plain build (no sanitizers) in BUILDDIR.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILDDIR:-.}

# Files that export under a second prefix as well: that of the thing that only they can make, or of
# the file that they are a part of.
second_prefixes='
src/auth/authenticate   caller_
src/auth/gateway        gateways_
src/auth/authorize      permit_
fcgi-app/fcgi_conn      fcgi_put_
src/states/tree_write   tree_
'

# No bound on what they write, or a hidden state that threads would share.
banned='strcpy stpcpy strcat sprintf vsprintf gets system popen tmpnam mktemp
    strtok rand srand localtime gmtime asctime ctime inet_ntoa gethostbyname'

if [ ! -f "$build/libcore.a" ]; then
    echo "symbols: $build/libcore.a is missing: build first, or set BUILDDIR" >&2
    exit 1
fi
# The objects of the programs, and nothing that a change has left in the build's folders.
objects=$(find src fcgi-app -name '*.c' | sed "s|^|$build/|; s|[.]c$|.o|")

# Prints "path name", the path without its ending, for each exported symbol.
exported() {
    # shellcheck disable=SC2086 # a list
    nm -A -g --defined-only $objects | sed -nE "s|^$build/(.*)[.]o:[0-9a-f]* +[A-Z] |\\1 |p"
}

# Prints "path name" for each symbol that an object needs from elsewhere.
needed() {
    # shellcheck disable=SC2086 # a list
    nm -A -u $objects | sed -nE "s|^$build/(.*)[.]o: +[A-Za-z] |\\1 |p"
}

# Prints "module name" for each variable of src/ that can be written. Tables of pointers stand in
# .data.rel.ro: the loader fills them in, then they are read-only.
variables() {
    # shellcheck disable=SC2086 # a list
    objdump -t $(echo "$objects" | grep "^$build/src/") | sed "s|^$build/||" | awk '
        /^src.*[.]o:/ { module = substr($1, 1, length($1) - 3); next }
        NF > 3 && $(NF - 1) ~ /^[0-9a-f]+$/ && $(NF - 2) ~ /^([.](data|bss|tdata|tbss)([.].*)?|[*]COM[*])$/ &&
            $(NF - 2) !~ /^[.]data[.]rel[.]ro/ && $NF !~ /^[.]/ { print module, $NF }'
}

# What only the named files may call: a permit without a caller is for the operator's own tool.
reserved='
permit_for_operator    src/ctl/states
'

status=0
used=$(mktemp)
trap 'rm -f "$used"' EXIT

# Turns "module name" lines into complaints.
complain() {
    while read -r module name; do
        source=$module.c
        plain=$(echo "$name" | sed -E 's/[.].*$//; s/^__(.*)_chk$/\1/')
        line=$(grep -n -m 1 -E "(^|[^a-z0-9_])$plain([^a-z0-9_]|$)" "$source" | cut -d: -f1)
        echo "$source:${line:-1}: $name: $1" >&2
    done
}

bad=$(exported | SECOND=$second_prefixes awk '
    BEGIN {
        for (i = split(ENVIRON["SECOND"], words, " "); i > 1; i -= 2) {
            second[words[i - 1]] = words[i]
        }
    }
    {
        symbols++
        parts = split($1, path, "/")
        stem = path[parts]
        directory = path[parts - 1]
        is_main = stem == "main" && $2 == "main"
        has_prefix = $2 == stem || index($2, stem "_") == 1 || index($2, directory "_") == 1
        has_second = ($1 in second) && index($2, second[$1]) == 1
        if (!is_main && !has_prefix && !has_second) {
            print
        }
    }
    END {
        if (symbols < 10) {
            print "main nothing_was_found"
        }
    }')
if [ -n "$bad" ]; then
    echo "$bad" | complain "an exported name must begin with its module's name (or be static)"
    status=1
fi

# An exported name that neither another file of the programs nor a test needs.
bad=$({ needed | sed 's/.* //'; grep -rhoE '[a-z_0-9]+' --include='*.[ch]' tests; echo main; } | sort -u >"$used"
    exported | while read -r module name; do grep -qxF "$name" "$used" || echo "$module $name"; done)
if [ -n "$bad" ]; then
    echo "$bad" | complain "nobody else needs it: it must be static, or go"
    status=1
fi

bad=$(variables | grep -vE '^src/(base/log state|db/library unjoined_threads)$' || true)
if [ -n "$bad" ]; then
    echo "$bad" | complain "src/ keeps no variables of its own (exceptions: log's state, the threads in the client library)"
    status=1
fi

# The fortified names, such as __strcpy_chk, are the same functions.
pattern=$(echo "$banned" | tr -s ' \n' '|')
bad=$(needed | grep -E " (__)?($pattern)(_chk)?\$" || true)
if [ -n "$bad" ]; then
    echo "$bad" | complain "may not be called"
    status=1
fi

bad=$(needed | RESERVED=$reserved awk '
    BEGIN {
        for (i = split(ENVIRON["RESERVED"], words, " "); i > 1; i -= 2) {
            user[words[i - 1]] = words[i]
        }
    }
    $2 in user { used[$2] = 1 }
    $2 in user && index($1, user[$2]) != 1 { print }
    END {
        for (name in user) {
            if (!(name in used)) {
                print user[name], name
            }
        }
    }')
if [ -n "$bad" ]; then
    echo "$bad" | complain "is reserved, see the list in tests/lint/symbols.sh (or is used by nobody any more)"
    status=1
fi
exit $status
