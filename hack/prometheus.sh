#!/bin/sh
# Finds Prometheus and promtool for the tests, or downloads them from the archive of Debian or Ubuntu, without root, into
# .cache/prometheus. Prints the folder that contains both.
#
#   hack/prometheus.sh            PROMETHEUS=/folder/with/both hack/prometheus.sh
set -eu
cd "$(dirname "$0")/.."
. hack/debian.sh

cache=$PWD/.cache/prometheus/usr/bin
elsewhere="Get a release of Prometheus for your system and name the folder with prometheus and promtool in it:
    make test PROMETHEUS=/path/to/folder"

complete() {
    [ -x "$1/prometheus" ] && [ -x "$1/promtool" ]
}

download() {
    apt-get -q download prometheus
}

if [ -n "${PROMETHEUS:-}" ]; then
    complete "$PROMETHEUS" || fail "PROMETHEUS=$PROMETHEUS: no programs prometheus and promtool in that folder." "$elsewhere"
    echo "$PROMETHEUS"
elif complete "$cache"; then
    echo "$cache"
elif command -v prometheus > /dev/null && command -v promtool > /dev/null; then
    dirname "$(command -v prometheus)"
else
    fetch prometheus usr/bin
    echo "$cache"
fi
