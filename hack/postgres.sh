#!/bin/sh
# Finds the programs of a PostgreSQL server for the tests, or downloads them from the archive of Debian or Ubuntu, without
# root, into .cache/postgresql. Prints the folder that contains them.
#
#   hack/postgres.sh              POSTGRES=/folder/with/initdb hack/postgres.sh
set -eu
cd "$(dirname "$0")/.."
. hack/debian.sh

cache=$PWD/.cache/postgresql/usr/lib/postgresql
elsewhere="Install the server of PostgreSQL 14 or newer, or name the folder with initdb and pg_ctl in it:
    make test POSTGRES=/path/to/folder"

complete() {
    for program in initdb pg_ctl postgres pg_basebackup; do
        [ -x "$1/$program" ] || return 1
        # What is downloaded brings the libraries that this system lacks.
        LD_LIBRARY_PATH=$(echo "$1"/../../../*-linux-gnu*) "$1/$program" --version > /dev/null || return 1
    done
}

download() { # together with the libraries that this system lacks; nothing is installed
    mkdir -p partial
    apt-get -q --yes --no-install-recommends --download-only \
        -o Debug::NoLocking=true -o Dir::Cache::archives="$PWD" install postgresql
}

found() { # prints the first of these folders that is complete
    for folder in "$@"; do
        if complete "$folder"; then
            echo "$folder"
            return
        fi
    done
    return 1
}

if [ -n "${POSTGRES:-}" ]; then
    found "$POSTGRES" || fail "POSTGRES=$POSTGRES: no server of PostgreSQL in that folder, or it does not run." "$elsewhere"
    exit
fi
# Debian has the programs of each version in a folder of its own, which is not on the PATH.
installed=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null) || true
on_path=$(command -v pg_ctl) || true
# shellcheck disable=SC2086
if ! found $installed ${on_path:+"$(dirname "$on_path")"} "$cache"/*/bin; then
    fetch postgresql 'usr/lib/postgresql/*/bin'
    found "$cache"/*/bin
fi
