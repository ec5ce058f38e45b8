# Functions of the scripts that fetch programs from the archive of Debian or Ubuntu, without root. To be sourced in the
# root of the checkout, by a script that defines
#   elsewhere           what to do where the programs cannot be fetched
#   download            downloads packages into the current folder; a failure is tried again with fresh lists of packages
#   complete FOLDER     whether all programs are in the folder

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

fetch() { # PACKAGE FOLDER: downloads the package into .cache/PACKAGE, where FOLDER has the programs
    if ! command -v apt-get > /dev/null || ! command -v dpkg > /dev/null; then
        fail "The programs of $1 are not here, and only on Debian and Ubuntu can they be fetched." "$elsewhere"
    fi
    # Into a temporary folder first, so that concurrent or interrupted runs leave nothing half done.
    mkdir -p .cache
    partial=$(mktemp -d "$PWD/.cache/$1.XXXXXX")
    trap 'rm -rf "$partial"' EXIT
    (
        cd "$partial"
        # Messages are shown only if it fails.
        if ! download > apt.log 2>&1; then
            [ "$(id -u)" = 0 ] || fail "$(cat apt.log)" "apt-get cannot download $1." \
                "If apt has no lists yet: sudo apt-get update, then again." "$elsewhere"
            apt-get -q update > apt.log 2>&1 || fail "$(cat apt.log)" "apt-get update failed." "$elsewhere"
            download > apt.log 2>&1 || fail "$(cat apt.log)" "apt-get cannot download $1." "$elsewhere"
        fi
        for package in *.deb; do dpkg -x "$package" tree; done
    )
    complete "$partial"/tree/$2 || fail "The programs of the downloaded $1 do not run." "$elsewhere"
    rm -rf ".cache/$1"
    mv "$partial/tree" ".cache/$1"
}
