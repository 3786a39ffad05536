#!/bin/sh
# dos_disk.sh DOPPEL MAKE_DISK SOURCES FLOPPY: FreeDOS starts from small hard disks that were partitioned with geometries of
# their time, which doppel reads off the partition table or is told; and -boot, bootindex= and snapshot= mean what they say.
# Skipped (77) without the FreeDOS floppy or an x86 GCC.
set -eu
. "$(dirname "$0")/../../common.sh"

doppel=$1
make_disk=$2
sources=$3
floppy=$4
make_work_directory
cd "$work"

require_image "$floppy"
find_x86_compiler
for sector in mbr boot; do
    "$compiler" -m32 -march=i386 -Ui386 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--oformat=binary -Wl,-Ttext,0 \
        -o "$sector" "$sources/$sector.S"
done
"$make_disk" "$floppy" mbr boot 615 4 17 small.img  # 20 MB, the ST-225
"$make_disk" "$floppy" mbr boot 40 64 32 many.img   # more heads than a drive has: a BIOS's translation
"$make_disk" "$floppy" mbr boot 615 4 17 unsaid.img # its partition table says nothing about the geometry
for at in 447 448 449 451 452 453; do
    printf '\000' | dd of=unsaid.img bs=1 seek="$at" conv=notrunc 2>/dev/null
done
printf '\001' | dd of=unsaid.img bs=1 seek=447 conv=notrunc 2>/dev/null # where the master boot record looks for it
printf '\001' | dd of=unsaid.img bs=1 seek=448 conv=notrunc 2>/dev/null

failures=0
# check NAME TEXT OPTION...: the machine comes to show TEXT within half a minute.
check()
{
    name=$1
    text=$2
    shift 2
    printf 'wait-screen "%s" 30\nquit\n' "$text" >script
    if ! "$doppel" -icount shift=6 -display none -script script "$@" 2>err; then
        echo "FAILED: $name"
        sed 's/^/    /' err
        failures=$((failures + 1))
    fi
}

up="Drive C is up"
none="No bootable device"
check "geometry of the partition table" "$up" -hda small.img
check "logical geometry of the partition table" "$up" -hda many.img
check "geometry that nobody knows" "$none" -hda unsaid.img
check "geometry that is said" "$up" -drive file=unsaid.img,cyls=615,heads=4,secs=17
check "wrong geometry that is said" "$none" -drive file=small.img,cyls=41,heads=16,secs=63
check "translation that is said" "$none" -drive file=many.img,trans=lba

check "floppy first" "Booting from Floppy" -fda "$floppy,readonly" -hda small.img
check "disk first" "$up" -fda "$floppy,readonly" -hda small.img -boot c
check "disk first, by name" "$up" -fda "$floppy,readonly" -hda small.img -boot order=c
check "second disk first" "start=     0 MB, size=    38 MB" -hda small.img -drive file=many.img,bootindex=0
check "bootindex before order" "$up" -fda "$floppy,readonly" -drive file=small.img,bootindex=5 -boot order=a
check "nothing else than asked" "$none" -hda small.img -boot order=d,strict=on
check "menu" "Press ESC for boot menu" -hda small.img -boot menu=on,splash-time=2000

cat >script <<'END'
wait-screen "Booting from Floppy" 30
system_reset
sleep 0.1
wait-screen "Booting from Hard Disk" 30
system_reset
sleep 0.1
wait-screen "Booting from Hard Disk" 30
quit
END
if ! "$doppel" -icount shift=6 -display none -script script -fda "$floppy,readonly" -hda small.img -boot once=a,order=c; then
    echo "FAILED: a floppy once, then the disk"
    failures=$((failures + 1))
fi

# write OPTION...: DOS writes to C.
write()
{
    cat >script <<'END'
wait-screen "C:\>" 30
type "echo written > new.txt\n"
sleep 3
type "cls\n"
sleep 1
type "type new.txt\n"
wait-screen "written" 30
quit
END
    "$doppel" -icount shift=6 -display none -script script "$@"
}
cp small.img before.img
write -drive file=small.img,snapshot=on
if ! cmp small.img before.img; then
    echo "FAILED: the file under a snapshot changed"
    failures=$((failures + 1))
fi
write -drive file=small.img
if cmp -s small.img before.img; then
    echo "FAILED: the file did not change without a snapshot"
    failures=$((failures + 1))
fi

[ "$failures" -eq 0 ]
