#!/bin/sh
# include_rules.sh ROOT
#
# Proves that every #include in ROOT/src follows the table in allowed_includes.txt beside this script: modules
# know only the modules below them, devices know no other device, nobody includes a .c file.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$1/src"
find . -type f \( -name '*.c' -o -name '*.h' -o -name '*.def' \) | sed 's,^\./,,' | LC_ALL=C sort |
    xargs awk -f "$here/include_rules.awk" "$here/allowed_includes.txt"
