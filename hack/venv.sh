#!/bin/sh
# Installs the given lock files into .venv, and does nothing if it is up to date.
#
#   hack/venv.sh LOCK...          PYTHON=python3.12 hack/venv.sh LOCK...
#
# .venv/locks records which lock files, with which content, were installed last.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
record=$venv/locks

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

version() { # of the interpreter named; empty if there is none that runs
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

interpreter() { # prints the one to make .venv with
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || too_old "$PYTHON"
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    too_old python3
}

too_old() {
    found=$(version "$1")
    fail "Python 3.11 or newer is needed; ${1} is ${found:-not there}." \
        "Install one (Debian, Ubuntu: apt install python3 python3-venv) and, if it is not called python3, name it:" \
        "    make demo PYTHON=/path/to/python3.12"
}

usable() { # .venv runs, is new enough and, if PYTHON was named, is of that version
    new_enough $venv/bin/python || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$(version $venv/bin/python)" ]
}

create() {
    python=$(interpreter)
    minor=$(version "$python" | cut -d. -f1,2)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python (Python $minor) comes without its venv module." \
            "Debian, Ubuntu: apt install python${minor}-venv, or python3-venv for the system's own python3."
    "$python" -m venv --clear $venv || fail "$python -m venv could not create $PWD/$venv: its own words stand above."
}

for lock in "$@"; do
    [ -f "$lock" ] || fail "$PWD/$lock is missing: restore it from git, or write it with: make lock"
done

[ -z "${PYTHON:-}" ] || new_enough "$PYTHON" || too_old "$PYTHON"
usable || create

wanted=$(cksum "$@")
installed=$(cat $record 2>/dev/null || true)
[ -n "$(printf '%s\n' "$wanted" | grep -vxF -e "${installed:-none}")" ] || exit 0

echo "Installing the locked packages into $venv ..."
rm -f $record
requirements=$(printf -- ' -r %s' "$@")
# shellcheck disable=SC2086  # one word each
$venv/bin/python -m pip install -q --disable-pip-version-check --no-input --require-hashes --no-deps $requirements ||
    fail "The locked packages could not be installed: pip's own words stand above." \
        "It needs PyPI or a mirror of it (pip config set global.index-url ...), and room on the disk."
printf '%s\n' "$wanted" > $record
