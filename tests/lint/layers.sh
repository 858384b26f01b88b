#!/bin/sh
# SPDX-License-Identifier: MIT
# Includes go down, never up: a module may include what stands in its own layer or below it. And
# each library is the affair of the few modules named here.
set -eu
cd "$(dirname "$0")/../.."

# layer, modules
layers='
0 base utf8 hash err arena clock outbuf log metrics
1 conf conf_keys http jsonr jsonw jwt db db_board db_connect db_hosts db_row db_scout db_watch limiter net trace zone
2 auth auth_direct auth_gateway binding tree tree_write store store_mysql store_rows apps
3 service
4 fcgi-app
'

# system header (a pattern for the whole name), then the modules that may include it. "fcgi-app"
# stands for every module there.
owners='
mysql[.]h|errmsg[.]h|mysqld_error[.]h|mysql/.*      db db_connect db_hosts db_row
openssl/.*                                          auth_direct jwt apps
json[.]h|json-c/.*|json_.*[.]h                      jsonr
fastcgi[.]h|fcgiapp[.]h|fcgi_.*[.]h                 fcgi-app
arpa/inet[.]h                                       net fcgi-app
sys/socket[.]h                                      db_watch fcgi-app
sys/un[.]h|netdb[.]h|netinet/.*                     fcgi-app
poll[.]h|sys/poll[.]h                               log db_connect fcgi-app
sys/epoll[.]h|sys/eventfd[.]h|sys/select[.]h        fcgi-app
pthread[.]h|threads[.]h                             log db_board db_watch limiter fcgi-app
signal[.]h|sys/signalfd[.]h                         fcgi-app
sys/prctl[.]h|linux/.*                              fcgi-app
ini[.]h                                             conf
syslog[.]h                                          log
'

LAYERS=$layers OWNERS=$owners exec awk '
    BEGIN {
        count = split(ENVIRON["LAYERS"], lines, "\n")
        for (i = 1; i <= count; i++) {
            for (j = split(lines[i], words, " "); j > 1; j--) {
                layer[words[j]] = words[1]
            }
        }
        count = split(ENVIRON["OWNERS"], lines, "\n")
        for (i = 1; i <= count; i++) {
            if (split(lines[i], words, " ") < 2) {
                continue
            }
            pattern[++rules] = "^(" words[1] ")$"
            allowed[rules] = lines[i] " "
        }
    }
    FNR == 1 {
        files++
        module = FILENAME
        sub(/.*\//, "", module)
        sub(/[.][ch]$/, "", module)
        group = FILENAME ~ /^fcgi-app\// ? "fcgi-app" : module
        if (!(group in layer)) {
            complain("module " module " has no layer: add it to the table in tests/lint/layers.sh")
            layer[group] = 9
        }
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, parts, "\"")
        included = parts[2]
        sub(/[.]h$/, "", included)
        if (!(included in layer) && group == "fcgi-app") {
            next # another module of fcgi-app; a name that does not exist would not compile
        }
        if (!(included in layer)) {
            complain(module " (layer " layer[group] ") includes \"" parts[2] "\", which is not below it")
        } else if (layer[included] > layer[group]) {
            complain(module " (layer " layer[group] ") includes " parts[2] " (layer " layer[included] ")")
        }
    }
    /^[ \t]*#[ \t]*include[ \t]*</ {
        header = $0
        sub(/^[^<]*</, "", header)
        sub(/>.*/, "", header)
        for (rule = 1; rule <= rules; rule++) {
            if (header ~ pattern[rule] && !index(allowed[rule], " " group " ")) {
                complain(module " must not include <" header ">")
            }
        }
    }
    # SQL of the product stands in one file, that of the administration in another. (Setting up a
    # session, in db_hosts.c, is no query.)
    group != "fcgi-app" && module !~ /^(store_mysql|apps)$/ && /"(SELECT|INSERT|UPDATE|DELETE|REPLACE) / {
        complain("SQL text belongs into store_mysql.c or apps.c")
    }
    function complain(text) {
        printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
        failed = 1
    }
    END {
        if (files < 2) {
            print "layers: no source files found" > "/dev/stderr"
            failed = 1
        }
        exit failed
    }
' src/*.[ch] fcgi-app/*.[ch]
