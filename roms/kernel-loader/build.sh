#!/bin/sh
# Builds the kernel loader's option ROM; ../build_image.sh says how to call this.
set -eu
directory=$(dirname "$0")
. "$directory/../build_image.sh"

# fix_checksum START LENGTH AT: sets byte AT, which is 0, so that the bytes from START on sum up to 0.
fix_checksum()
{
    byte=$(od -A n -v -t u1 -j "$1" -N "$2" "$work/image" |
        awk '{ for (i = 1; i <= NF; i++) sum += $i } END { printf "%03o", (256 - sum % 256) % 256 }')
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$byte" | dd of="$work/image" bs=1 seek="$3" conv=notrunc 2>/dev/null
}

begin_image "$directory" "$@"
link_image loader.ld -masm=intel
size=$(wc -c <"$work/image")
fix_checksum 32 32 41
fix_checksum 0 "$size" $((size - 1))
end_image kernel-loader.bin
