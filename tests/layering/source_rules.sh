#!/bin/sh
# source_rules.sh ROOT
#
# Proves of every source file under ROOT that it begins with a comment that says why it exists, and that it has
# not outgrown what can be read at one go.
set -eu

cd "$1"
directories=
for directory in src tests bench roms; do
    [ -d "$directory" ] && directories="$directories $directory"
done
# shellcheck disable=SC2086
find $directories -type f \( -name '*.[chS]' -o -name '*.def' \) | LC_ALL=C sort | xargs awk '
    function complain(text)
    {
        print name ": " text
        failed = 1
    }
    function finish()
    {
        if (name ~ /\.[ch]$/ && lines > 1000) {
            complain("has " lines " lines; above 1000, look for the two things it is about")
        }
    }
    FNR == 1 {
        finish()
        name = FILENAME
        if ($0 !~ /^\/[*\/]/) {
            complain("does not begin with a comment that says why it exists")
        }
    }
    { lines = FNR }
    END {
        finish()
        if (name == "") {
            complain("no sources were found")
        }
        exit failed
    }'
