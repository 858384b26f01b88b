#!/bin/sh
# SPDX-License-Identifier: MIT
# Of libfcgi only what cannot read requests is linked: its reader has ended processes (CVE-2025-23016).
# Needs a build in BUILDDIR.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILDDIR:-.}

status=0

# The listening socket, the question whether descriptor 0 is one, and plain CGI.
of_libfcgi='FCGX_IsCGI FCGX_OpenSocket FCGI_Accept FCGI_fflush FCGI_fread FCGI_fwrite _fcgi_sF'

if [ ! -x "$build/bkflow-states" ]; then
    echo "security: $build/bkflow-states is missing: build first, or set BUILDDIR" >&2
    exit 1
fi
taken=$(nm -D "$build/bkflow-states" | awk '$NF ~ /^(_fcgi|FCG[IX]_|OS_)/ { print $NF }')
case $taken in
*FCGX_OpenSocket*) ;;
*)
    echo "fcgi-app/listen.c:1: libfcgi's symbols were not found in $build/bkflow-states" >&2
    status=1
    ;;
esac
for symbol in $taken; do
    case " $of_libfcgi " in
    *" $symbol "*) ;;
    *)
        echo "docs/security.md:1: $symbol of libfcgi is linked; can it get to read a request?" >&2
        status=1
        ;;
    esac
done
if nm -D "$build/bkflow-statesctl" | grep -E ' (_fcgi|FCG[IX]_|OS_)' >&2; then
    echo "security: bkflow-statesctl has no use for libfcgi" >&2
    status=1
fi
exit $status
