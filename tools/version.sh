#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# tools/version.sh [COMMIT] - the version of the working tree, or of a commit.
#
# VERSION names the release that is being made. At its tag, v0.1.0, that is all; on the way there the
# commit comes with it: 0.1.0-1234abcd5678, and -dirty with changes. In a source archive VERSION has
# all of it.

cd "$(dirname "$0")/.." || exit 1
read -r version <VERSION
if [ ! -e .git ]; then
	echo "$version"
	exit
fi
[ $# -eq 0 ] || version=$(git show "$1:VERSION") || exit 1
commit=$(git describe --always --abbrev=12 --match "v$version" "${1:---dirty}" 2>/dev/null) ||
	commit=unknown
case $commit in
"v$version"*) echo "$version${commit#"v$version"}" ;;
*) echo "$version-$commit" ;;
esac
