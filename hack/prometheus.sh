#!/bin/sh
# Finds Prometheus and promtool for the tests, or downloads them from the archive of Debian or Ubuntu, without root, into
# .cache/prometheus. Prints the folder that contains both.
#
#   hack/prometheus.sh            PROMETHEUS=/folder/with/both hack/prometheus.sh
set -eu
cd "$(dirname "$0")/.."

cache=$PWD/.cache/prometheus

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

elsewhere="Get a release of Prometheus for your system and name the folder with prometheus and promtool in it:
    make test PROMETHEUS=/path/to/folder"

complete() {
    [ -x "$1/prometheus" ] && [ -x "$1/promtool" ]
}

download() { # into the current folder; messages only if it fails
    apt-get -q download prometheus > apt.log 2>&1
}

fetch() {
    if ! command -v apt-get > /dev/null || ! command -v dpkg > /dev/null; then
        fail "Prometheus is not here, and only on Debian and Ubuntu can it be fetched by itself." "$elsewhere"
    fi
    # Into a temporary folder first, so that concurrent or interrupted runs leave nothing half done.
    mkdir -p .cache
    partial=$(mktemp -d "$PWD/.cache/prometheus.XXXXXX")
    trap 'rm -rf "$partial"' EXIT
    (
        cd "$partial"
        if ! download; then
            [ "$(id -u)" = 0 ] || fail "$(cat apt.log)" "apt-get download prometheus failed." \
                "If apt has no lists yet: sudo apt-get update, then again." "$elsewhere"
            apt-get -q update > apt.log 2>&1 || fail "$(cat apt.log)" "apt-get update failed." "$elsewhere"
            download || fail "$(cat apt.log)" "apt-get download prometheus failed." "$elsewhere"
        fi
        dpkg -x prometheus_*.deb tree
    )
    complete "$partial/tree/usr/bin" || fail "The package prometheus holds no prometheus and promtool." "$elsewhere"
    rm -rf "$cache"
    mv "$partial/tree" "$cache"
}

if [ -n "${PROMETHEUS:-}" ]; then
    complete "$PROMETHEUS" || fail "PROMETHEUS=$PROMETHEUS: no programs prometheus and promtool in that folder." "$elsewhere"
    echo "$PROMETHEUS"
elif complete "$cache/usr/bin"; then
    echo "$cache/usr/bin"
elif command -v prometheus > /dev/null && command -v promtool > /dev/null; then
    dirname "$(command -v prometheus)"
else
    fetch
    echo "$cache/usr/bin"
fi
