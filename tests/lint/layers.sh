#!/bin/sh
# SPDX-License-Identifier: MIT
# Directories are layers: a file may include its own directory and those listed before it. Each library is the affair
# of the few files named here, which show nothing of it to others. A header for one directory ends in _priv.h.
set -eu
cd "$(dirname "$0")/../.."

# A directory, then the directories that it may include besides its own.
layers='
src/base
src/http    src/base
src/conf    src/base
src/db      src/base src/conf
src/auth    src/base src/http src/conf
src/states  src/base src/http src/conf src/db src/auth
src/ctl     src/base src/http src/conf src/db src/auth src/states
fcgi-app    src/base src/http src/conf src/db src/auth src/states
'

# A system header (a pattern for the complete name), then the files and directories that may include it.
owners='
mysql[.]h|errmsg[.]h|mysqld_error[.]h|mysql/.*      src/db
openssl/.*                                          src/auth/jwt src/auth/jwt_key src/auth/secret
json[.]h|json-c/.*|json_.*[.]h                      src/base/json_read
fastcgi[.]h|fcgiapp[.]h|fcgi_.*[.]h                 fcgi-app
arpa/inet[.]h                                       src/base/cidr fcgi-app
sys/socket[.]h                                      src/db/deadline src/db/connect fcgi-app
netdb[.]h                                           src/db/attempt fcgi-app
netinet/.*                                          src/db/connect fcgi-app
sys/un[.]h                                          fcgi-app
poll[.]h|sys/poll[.]h                               src/base/log src/db fcgi-app
sys/eventfd[.]h                                     src/db/attempt fcgi-app
sys/epoll[.]h|sys/select[.]h                        fcgi-app
pthread[.]h|threads[.]h                             src/base/log src/db src/auth/limiter src/auth/token_cache src/states/refusals fcgi-app
signal[.]h                                          src/ctl/main fcgi-app
sys/signalfd[.]h                                    fcgi-app
sys/prctl[.]h|linux/.*                              fcgi-app
ini[.]h                                             src/conf src/db/connect
syslog[.]h                                          src/base/log
'

# What is a library's (types, functions, constants), then who may name it. In a header this shows the library to
# everybody who includes it, so only private ones may.
names='
MYSQL[A-Z_]*|mysql_[a-z_]+[(]|[CE]R_[A-Z_]+                         src/db
json_(object|tokener|type|util)[a-z_]*                             src/base/json_read
(EVP|OSSL|BIO|BN|EC|ECDSA|RSA|PEM|OPENSSL|CRYPTO)_[A-Za-z_0-9]+    src/auth/jwt src/auth/jwt_key src/auth/secret
FCG[IX]_[A-Za-z_]+[(]                                              fcgi-app/listen fcgi-app/cgi
'

# Files with SQL: statements of the product, and of the administration.
sql='src/states/statements src/ctl/'

# shellcheck disable=SC2046 # a list
LAYERS=$layers OWNERS=$owners NAMES=$names SQL=$sql exec awk '
    BEGIN {
        count = split(ENVIRON["LAYERS"], lines, "\n")
        for (i = 1; i <= count; i++) {
            words_count = split(lines[i], words, " ")
            for (j = 1; j <= words_count; j++) {
                may[words[1], words[j]] = 1
                known[words[1]] = 1
            }
        }
        headers = read_rules(ENVIRON["OWNERS"], header_pattern, header_owners, "^(", ")$")
        names = read_rules(ENVIRON["NAMES"], name_pattern, name_owners, "(^|[^A-Za-z0-9_])(", ")")
        sql_count = split(ENVIRON["SQL"], sql_files, " ")
    }
    FNR == 1 {
        files++
        # Nobody includes what is in fcgi-app or src/ctl from elsewhere: the ending would tell nothing.
        if (FILENAME ~ /^src\/.*[.]h$/ && FILENAME !~ /^src\/ctl\/|_priv[.]h$/) {
            shared[FILENAME] = 1
        }
        stem = FILENAME
        sub(/[.][ch]$/, "", stem)
        directory = stem
        sub(/\/[^\/]*$/, "", directory)
        if (!(directory in known)) {
            complain("directory " directory " is not in the table in tests/lint/layers.sh")
            known[directory] = 1
        }
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, parts, "\"")
        included = "src/" parts[2]
        if (parts[2] !~ /\//) {
            included = "fcgi-app/" parts[2] # a header that does not exist would not compile
        }
        sub(/\/[^\/]*$/, "", included)
        if (!((directory, included) in may)) {
            complain(directory " must not include " included)
        } else if (directory != included && parts[2] ~ /_priv[.]h$/) {
            complain(parts[2] " is private to " included)
        }
        if (directory != included) {
            used_outside["src/" parts[2]] = 1
        } else if (FILENAME ~ /[.]h$/ && FILENAME !~ /_priv[.]h$/) {
            used_outside["src/" parts[2]] = 1 # as far as this header is
            if (parts[2] ~ /_priv[.]h$/) {
                complain("a header that others include must not include " parts[2])
            }
        }
    }
    /^[ \t]*#[ \t]*include[ \t]*</ {
        header = $0
        sub(/^[^<]*</, "", header)
        sub(/>.*/, "", header)
        for (rule = 1; rule <= headers; rule++) {
            if (header ~ header_pattern[rule] && !owns(header_owners[rule])) {
                complain(stem " must not include <" header ">")
            }
        }
        next
    }
    {
        code = $0
        sub(/\/\/.*/, "", code)
        gsub(/"[^"]*"/, "", code)
        for (rule = 1; rule <= names; rule++) {
            if (code !~ name_pattern[rule]) {
                continue
            }
            match(code, name_pattern[rule])
            name = substr(code, RSTART, RLENGTH)
            gsub(/[^A-Za-z0-9_]/, "", name)
            if (!owns(name_owners[rule])) {
                complain(stem " must not use " name)
            } else if (FILENAME ~ /[.]h$/ && FILENAME !~ /_priv[.]h$/) {
                complain("a header that others include must not show " name)
            }
        }
    }
    /"(SELECT|INSERT|UPDATE|DELETE|REPLACE) / && !has_sql() {
        complain("SQL text belongs into " ENVIRON["SQL"])
    }
    # Lines of a pattern and its owners; returns how many there are.
    function read_rules(text, patterns, owners, before, after,    count, i, lines, words, rules) {
        count = split(text, lines, "\n")
        rules = 0
        for (i = 1; i <= count; i++) {
            if (split(lines[i], words, " ") > 1) {
                patterns[++rules] = before words[1] after
                owners[rules] = substr(lines[i], length(words[1]) + 1)
            }
        }
        return rules
    }
    function owns(list,    count, i, owners) {
        count = split(list, owners, " ")
        for (i = 1; i <= count; i++) {
            if (owners[i] == stem || owners[i] "_priv" == stem || owners[i] == directory) {
                return 1
            }
        }
        return 0
    }
    function has_sql(    i) {
        for (i = 1; i <= sql_count; i++) {
            if (index(stem, sql_files[i]) == 1) {
                return 1
            }
        }
        return 0
    }
    function complain(text) {
        printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
        failed = 1
    }
    END {
        for (header in shared) {
            if (!(header in used_outside)) {
                printf "%s:1: only its own directory includes it: its name must end in _priv.h\n", header > "/dev/stderr"
                failed = 1
            }
        }
        if (files < 50) {
            print "layers: the source files were not found" > "/dev/stderr"
            failed = 1
        }
        exit failed
    }
' $(find src fcgi-app -name "*.[ch]")
