#!/bin/sh
# format.sh ROOT
#
# Proves that every C file under ROOT is formatted as ROOT/.clang-format says. Versions of clang-format differ in
# details, so only version 14 counts; without it the test is skipped (77).
set -eu

cd "$1"
formatter=
for candidate in clang-format-14 clang-format; do
    if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q 'version 14\.'; then
        formatter=$candidate
        break
    fi
done
if [ -z "$formatter" ]; then
    echo "SKIPPED: clang-format 14 is not installed"
    exit 77
fi
directories=
for directory in src tests bench roms; do
    [ -d "$directory" ] && directories="$directories $directory"
done
# shellcheck disable=SC2086
find $directories -type f -name '*.[ch]' | LC_ALL=C sort | xargs "$formatter" --dry-run -Werror
