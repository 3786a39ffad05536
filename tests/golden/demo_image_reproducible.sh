#!/bin/sh
# demo_image_reproducible.sh DIRECTORY
#
# Proves that DIRECTORY/demo.img is what the sources beside it make: builds them elsewhere, with the compiler that
# DIRECTORY/COMPILER records, and compares byte for byte. Skipped (77) where that compiler is not installed.
set -eu

demo=$1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

if [ "$(wc -c <"$demo/demo.img")" -ne 1474560 ]; then
    echo "FAILED: $demo/demo.img is not the size of a 1.44 MB floppy"
    exit 1
fi

# Another directory, so that a path in the image would show.
cp "$demo"/* "$copy"
for compiler in gcc gcc-12 x86_64-linux-gnu-gcc x86_64-linux-gnu-gcc-12; do
    command -v "$compiler" >/dev/null || continue
    CC=$compiler sh "$copy/build.sh" --compiler >"$copy/found"
    cmp -s "$copy/found" "$demo/COMPILER" || continue
    CC=$compiler sh "$copy/build.sh" "$copy/again.img"
    if cmp "$copy/again.img" "$demo/demo.img"; then
        exit 0
    fi
    echo "FAILED: the sources in $demo do not make its demo.img; build the target demo_image and commit the result"
    exit 1
done
echo "SKIP demo_image_reproducible: none of the installed compilers is the one in COMPILER:"
cat "$demo/COMPILER"
exit 77
