#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build-deb.sh [--from BUILD] [--output FOLDER] [--revision N] [--dbgsym]: makes the Debian package and has lintian look at it.
#
#   --from BUILD     pack this release build (default: build/release, configured first); what it lacks is built
#   --output FOLDER  where the package goes (default: build/deb)
#   --revision N     the Debian revision (default: 1)
#   --dbgsym         make the package with the debug symbols, too
#
# The last line is the package's path. Exit code 1 if something failed or lintian finds an error.
set -euo pipefail
project=$(cd "$(dirname "$0")/../.." && pwd)
from='' output=$project/build/deb revision=1 options=noautodbgsym
while [ $# -gt 0 ]; do
    case "$1" in
    --from) from=$(cd "$2" && pwd); shift ;;
    --output) output=$2; shift ;;
    --revision) revision=$2; shift ;;
    --dbgsym) options='' ;;
    *) sed -n '3,11p' "$0" | cut -c 3-; exit 2 ;;
    esac
    shift
done
for program in cmake dpkg-buildpackage dh; do
    if ! command -v $program > /dev/null; then
        echo "build-deb.sh: $program is not installed: run daemon/install-deps.sh package as root" >&2
        exit 1
    fi
done
mkdir -p "$output"
output=$(cd "$output" && pwd)
log=$output/build.log
run() { # STEP COMMAND...: quiet unless it fails
    local step=$1
    shift
    echo "$step …" >&2
    if ! "$@" >> "$log" 2>&1; then
        echo "build-deb.sh: $step failed; the end of $log:" >&2
        tail -n 40 "$log" >&2
        exit 1
    fi
}
: > "$log"

cd "$project"
if [ -z "$from" ]; then
    run 'configuring build/release' cmake --preset release
    from=$project/build/release
fi
run 'building' cmake --build "$from" --target ikefragd ikefragctl ikefrag manual
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$from/CMakeCache.txt")
[ -n "$version" ] || { echo "build-deb.sh: $from is not a build of ikefrag" >&2; exit 1; }

# What debhelper wants at the top of a source tree is put together beside it.
tree=$(mktemp -d "${TMPDIR:-/tmp}/ikefrag-deb.XXXXXX")
trap 'rm -rf "$tree"' EXIT
source=$tree/ikefrag-$version
mkdir -p "$source"
cp -a daemon/packaging/debian "$source/debian"
cp -a CHANGELOG.md LICENSE "$source/"
mkdir -p "$source/daemon"
cp -a README.md "$source/"
cp -a daemon/OPERATING.md "$source/daemon/"
changed=$(git log -1 --format=%cD 2> /dev/null || date -R)
cat > "$source/debian/changelog" << X
ikefrag ($version-$revision) unstable; urgency=medium

  * Version $version; changelog.gz beside this file says what is new.

 -- ikefrag maintainers <maintainers@ikefrag.example>  $changed
X

cd "$source"
run 'packing' env IKEFRAG_BUILD="$from" DEB_BUILD_OPTIONS="$options" dpkg-buildpackage -us -uc -b
cp "$tree"/*.deb "$output/"
package=$(basename "$tree"/ikefragd_*.deb)

if ! command -v lintian > /dev/null; then
    echo "build-deb.sh: lintian is not installed: the package was not checked" >&2
    echo "$output/$package"
    exit
fi
# No bug number stands behind a package that Debian does not carry.
findings=$(lintian --fail-on none --suppress-tags initial-upload-closes-no-bugs "$tree"/*.changes 2>> "$log") || true
echo "$findings" >> "$log"
if [ -n "$findings" ]; then echo "$findings" >&2; fi
if grep -q '^E:' <<< "$findings"; then
    echo "build-deb.sh: lintian finds errors" >&2
    exit 1
fi
echo "$output/$package"
