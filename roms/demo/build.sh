#!/bin/sh
# Builds the demo guest's floppy image; ../build_image.sh says how to call this.
set -eu
directory=$(dirname "$0")
. "$directory/../build_image.sh"

begin_image "$directory" "$@"
link_image kernel.ld
dd if=/dev/null of="$work/image" bs=512 seek=2880 2>/dev/null # 1.44 MB: 80 cylinders, 2 heads, 18 sectors
end_image demo.img
