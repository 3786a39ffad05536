#!/bin/sh
# image_reproducible.sh DIRECTORY IMAGE
#
# Proves that DIRECTORY/IMAGE is what the sources beside it make: builds them elsewhere, with the compiler that
# DIRECTORY/COMPILER records, and compares byte for byte. Skipped (77) where that compiler is not installed.
set -eu

sources=$1
image=$2
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# Another directory, so that a path in the image would show.
mkdir "$copy/image"
cp "$sources"/* "$copy/image"
cp "$sources/../build_image.sh" "$copy"
for compiler in gcc gcc-12 x86_64-linux-gnu-gcc x86_64-linux-gnu-gcc-12; do
    command -v "$compiler" >/dev/null || continue
    CC=$compiler sh "$copy/image/build.sh" --compiler >"$copy/found"
    cmp -s "$copy/found" "$sources/COMPILER" || continue
    CC=$compiler sh "$copy/image/build.sh" "$copy/again"
    if cmp "$copy/again" "$sources/$image"; then
        exit 0
    fi
    echo "FAILED: the sources in $sources do not make its $image; build it again (README.md) and commit the result"
    exit 1
done
echo "SKIPPED: none of the installed compilers is the one in COMPILER:"
cat "$sources/COMPILER"
exit 77
