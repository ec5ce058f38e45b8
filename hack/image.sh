#!/bin/sh
# Builds the Dockerfile without any image registry, on a base made from the packages of the Debian or Ubuntu that
# this runs on. Needs root, buildah and mmdebstrap.
#
#   hack/image.sh FOLDER
#
# Writes the image's files to FOLDER/root/, its configuration to image.json, and the configuration of a second build to
# again.json.
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "The image is built and run in a chroot, for which this must be root."
for tool in buildah mmdebstrap; do
    command -v $tool > /dev/null || fail "$tool is missing: apt install buildah mmdebstrap"
done

store=$(mktemp -d)
clean() {
    umount "$store/images/overlay" 2> /dev/null || true
    rm -rf "$store"
}
trap clean EXIT

images() { # in a store of their own: whatever else buildah keeps on this machine stays untouched
    buildah --root "$store/images" --runroot "$store/run" "$@"
}

base() {
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mmdebstrap -q --variant=minbase --include=ca-certificates,python3,python3-venv "$suite" "$store/base.tar"
    container=$(images from scratch)
    images add -q "$container" "$store/base.tar" / > /dev/null
    # The certificate authorities and the pip configuration of this machine.
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
        [ ! -e $file ] || images copy -q "$container" $file $file > /dev/null
    done
    images commit -q "$container" localhost/base > /dev/null
    images rm "$container" > /dev/null
}

build() { # and write its configuration to $1
    images bud -q --isolation chroot --format docker --no-cache --timestamp 1700000000 \
        --build-arg SOURCE_DATE_EPOCH=1700000000 --build-arg BASE=localhost/base --build-arg VERSION=1.2.3 \
        --tag localhost/exporter . > "$store/log" 2>&1 || fail "$(cat "$store/log")" "The image could not be built."
    images inspect --type image localhost/exporter > "$1"
}

base
build "$folder/again.json"
build "$folder/image.json"
container=$(images from localhost/exporter)
cp -a "$(images mount "$container")" "$folder/root"
images umount "$container" > /dev/null
