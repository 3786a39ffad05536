#!/bin/sh
# bad_input.sh DOPPEL IMAGE: everything that can be wrong with a command line, a file or a script gets an exit status (1: the
# host or a wait failed, 2: misuse) and one line on standard error that says what is wrong.
set -eu

doppel=$1
image=$2
work=$(mktemp -d)
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
original=$(realpath "$image")
cp "$image" "$work/image" # other tests use it at the same time
image=$work/image
chmod u+w "$image"
cd "$work"
failures=0

# check NAME STATUS TEXT OPTION...: doppel with these options ends with STATUS and says TEXT (empty: whatever).
check()
{
    name=$1
    expected=$2
    text=$3
    shift 3
    status=0
    "$doppel" -display none "$@" >out 2>err </dev/null || status=$?
    if [ "$status" -ne "$expected" ]; then
        echo "FAILED: $name: exit status $status, expected $expected"
        sed 's/^/    /' err
        failures=$((failures + 1))
    elif [ -z "$text" ]; then
        :
    elif [ "$expected" -ne 0 ] && ! grep -qF -- "$text" err; then
        echo "FAILED: $name: \"$text\" is not in:"
        sed 's/^/    /' err
        failures=$((failures + 1))
    elif [ "$expected" -eq 0 ] && ! grep -qF -- "$text" out; then
        echo "FAILED: $name: \"$text\" was not printed"
        failures=$((failures + 1))
    elif [ "$expected" -ne 0 ] && ! grep -q '^doppel: ' err; then
        echo "FAILED: $name: the message does not begin with doppel:"
        failures=$((failures + 1))
    fi
}

printf 'quit\n' >quit
printf 'frobnicate\n' >unknown-command
printf 'quit 5\n' >quit-5
printf 'run-instructions 100000 10\nquit\n' >run-a-little
printf '\nwait-screen "never seen" 0.1\nquit\n' >failing-wait
printf 'type "abc\n' >open-quote
printf 'change a missing.img\nquit\n' >bad-change
printf 'source directory\n' >bad-source
printf 'catch exception 0x20\nquit\n' >bad-exception
printf 'dump-memory cut.img 0 1\nsleep 10\nquit\n' >cut-image
printf 'info registers\nquit\n' >registers
printf 'wait-serial "ready" 60\nscreendump /nonexistent/x.png\nquit\n' >bad-dump
dd if=/dev/zero of=odd.img bs=1000 count=1 2>/dev/null
dd if=/dev/zero of=large.img bs=1024 count=2881 2>/dev/null
printf 'QFI\373%1020s' x >disk.qcow2
printf '\037\213\010%1020s' x >disk.img.gz
: >empty.img
mkdir directory
dd if=/dev/zero of=small.rom bs=100 count=1 2>/dev/null
dd if=/dev/zero of=large.rom bs=1024 count=2048 2>/dev/null
dd if=/dev/zero of=zero.rom bs=1024 count=64 2>/dev/null

check "missing image" 1 "missing.img" -fda missing.img
check "image larger than a floppy" 1 "-hda takes hard disks" -fda large.img
check "image of another format" 1 "qemu-img convert" -hda disk.qcow2
check "compressed image" 1 "unpack it first" disk.img.gz
check "image of another format that is meant so" 0 "" -drive file=disk.qcow2,format=raw -script quit
check "disk that ends in its first sector" 0 "" -hda odd.img -script quit
check "empty image" 1 "empty.img" -fda empty.img
check "directory as image" 1 "directory" -fda directory
check "positional missing image" 1 "missing.img" missing.img
check "two images for one drive" 2 "two images" -fda a -fda b
if [ "$(id -u)" -ne 0 ]; then
    cp "$image" secret.img
    chmod 0 secret.img
    check "unreadable image" 1 "secret.img" -fda secret.img
fi

check "missing BIOS" 1 "missing.rom" -bios missing.rom
check "small BIOS" 1 "multiple of 4096" -bios small.rom
check "large BIOS" 1 "large.rom" -bios large.rom
check "VGA BIOS that is none" 1 "55 AA" -vgabios zero.rom

mkfifo pipe
check "pipe as BIOS" 1 "not a file" -bios pipe
check "directory as VGA BIOS" 1 "is a directory" -vgabios directory
check "pipe as image" 1 "neither a file" -fda pipe
check "pipe as kernel" 1 "not a file" -kernel pipe
check "missing kernel" 1 "missing-kernel" -kernel missing-kernel
# A Linux 2.06 boot header with one setup sector, whose kernel should be 16 MiB long.
dd if=/dev/zero of=cut bs=512 count=3 2>/dev/null
put()
{
    # shellcheck disable=SC2059 # the format is the bytes
    printf "$2" | dd of=cut bs=1 seek="$1" conv=notrunc 2>/dev/null
}
put 497 '\001'
put 500 '\000\000\020'
put 510 '\125\252'
put 514 'HdrS\006\002'
put 529 '\001'
check "kernel that was cut off" 1 "shorter than its header says" -kernel cut
check "empty kernel" 1 "empty.img is empty" -kernel empty.img
check "directory as kernel" 1 "is a directory" -kernel directory
check "floppy image as kernel" 1 "not a kernel" -kernel "$image"
check "initrd without kernel" 2 "-initrd needs a kernel" -initrd odd.img
check "command line without kernel" 2 "-append needs a kernel" -append quiet

check "log over an image" 2 "-D would overwrite $image, the image of hda" -hda "$image" -D "$image"
ln "$image" link.img
check "recording over an image" 2 "-record would overwrite link.img, the image of floppy drive A" "$image" -record link.img
check "counters over an image" 2 "-counters would overwrite $image, the image of hdc" -cdrom "$image" -counters "$image"
check "serial port over an image" 2 "-serial would overwrite $image" -fdb "$image,readonly" -serial null -serial "file:$image"
cmp "$image" "$original" || failures=$((failures + 1))
check "log over a kernel" 2 "-D would overwrite ./quit, the kernel" -kernel quit -D ./quit
check "log over the script" 2 "-D would overwrite quit, the script" -check lockstep,instructions=1 -script quit -D quit
check "two logs in one file" 2 "-D and -debugcon cannot both write to both" -D both -debugcon file:both
check "two logs that nobody keeps" 0 "" -D /dev/null -counters /dev/null -script quit

check "no memory" 2 "memory size" -m 0
check "little memory" 2 "memory size" -m 640K
check "too much memory" 2 "memory size" -m 8G
check "memory in words" 2 "is not a memory size" -m lots
check "negative memory" 2 "is not a memory size" -m -1
check "missing disk" 1 "missing.img" -hda missing.img
check "one image in two drives" 1 "another drive" -hda "$image" -hdb "$image"
check "port that does not exist" 1 "65535" -serial tcp:localhost:99999
check "disk in one place twice" 2 "described twice" -hdc "$image" -cdrom "$image"
check "unknown drive word" 2 "cylinder" -drive file=x,cylinder=3
check "unknown disk format" 2 "known are raw" -drive file=x,format=qcow2
check "drive without a file" 2 "needs file" -drive media=disk
check "drive with an empty file name" 2 "after file= is empty" -drive file=
check "drive word without a value" 2 "is not key=value" -drive file=x,readonly
check "drive that is half on" 2 "on and off" -drive file=x,snapshot=maybe
check "interface that does not exist" 2 "ide and floppy" -drive file=x,if=scsi
check "medium that does not exist" 2 "disk and cdrom" -drive file=x,media=tape
check "disc in a floppy drive" 2 "no media=cdrom" -drive file=x,if=floppy,media=cdrom
check "third floppy drive" 2 "no place for floppy" -drive file=x,if=floppy,index=2
check "geometry of a floppy" 2 "IDE disks only" -drive file=x,if=floppy,cyls=80,heads=2,secs=18
check "part of a geometry" 2 "together" -drive file=x,heads=4
check "too many heads" 2 "1 to 16" -drive file=x,cyls=10,heads=17,secs=17
check "sectors that are no number" 2 "1 to 63" -drive file=x,cyls=10,heads=4,secs=-1
check "geometry larger than the disk" 1 "the image $image has" -drive "file=$image,cyls=16383,heads=16,secs=63"
check "unknown translation" 2 "rechs" -drive file=x,trans=best
check "bootindex out of range" 2 "0 to 99" -drive file=x,bootindex=100
check "two drives with one bootindex" 2 "two drives have bootindex 3" -drive file=x,bootindex=3 \
    -drive file=y,if=floppy,bootindex=3
check "place that does not exist" 2 "0 to 3" -drive file=x,index=4
check "unknown device" 2 "isa-debug-exit" -device sound
check "debug exit at an impossible port" 2 "iobase" -device isa-debug-exit,iobase=0x10000
printf '%1024s' x >odd.iso
check "disc that is no disc" 1 "multiple of 2048" -cdrom odd.iso
check "disk, disc and debug exit" 0 "" -drive "file=$image,readonly=on" -drive "file=$image,media=cdrom" \
    -device isa-debug-exit,iobase=0x501,iosize=2 -script quit
check "unknown CPU" 2 "80486" -cpu z80
check "unknown CPU feature" 2 "rdrand" -cpu pentium3,+avx
check "a feature of later processors" 2 "CPUID" -cpu 80486,+rdrand
check "a feature without what it needs" 2 "+sse" -cpu pentium2,+sse2
check "SeaBIOS on an 8086" 2 "-bios" -cpu 8086
check "SeaBIOS on an 80386" 2 "-bios" -cpu 80386
check "unknown engine" 2 "known are: interp, dbt" -engine kvm
check "unknown mmu strategy" 2 "known are: softtlb, walk, shadow, adaptive" -mmu nested
check "unknown treatment of sensitive instructions" 2 "known are: inline, callout, trap" -sensitive ignore
check "chain that is neither" 2 "known are: on, off" -chain maybe
check "no memory for translated code" 2 "1 to 1024 MiB" -tb-size 0
check "check that does not exist" 2 "known are: lockstep" -check everything
check "check with an unknown word" 2 "seed=N" -check lockstep,from=5
check "check in steps of nothing" 2 "\"step=0\" is none of" -check lockstep,step=0,instructions=1
check "check with input" 2 "-script only" -check lockstep -monitor stdio
check "engine of another name elsewhere" 2 "-engine interp" -accel tcg
check "unknown boot device" 2 "boot device" -boot order=z
check "boot device named twice" 2 "twice" -boot aa
check "unknown boot device once" 2 "boot device" -boot once=q
check "empty boot order" 2 "empty" -boot order=
check "unknown word of -boot" 2 "reboot-timeout" -boot order=c,splash=picture.bmp
check "second word of -boot without a value" 2 "is not key=value" -boot c,menu
check "menu that is neither" 2 "on and off" -boot menu=yes
check "menu that waits for ever" 2 "65535" -boot menu=on,splash-time=65536
check "timeout in words" 2 "milliseconds" -boot reboot-timeout=soon
check "day that does not exist" 2 "is not a time" -rtc base=2001-02-29 -script quit
check "unknown clock" 2 "is not a time" -rtc base=yesterday
check "unknown icount" 2 "shift" --icount=shift=99
check "unknown option" 2 "did you mean -snapshot" -snapshoot
check "option of another name elsewhere" 2 "use -display none -serial stdio" -nographic
check "option for what is always so" 2 "one processor" -smp 2
check "paused for ever" 2 "lets the machine go on" -S
check "unknown option like nothing" 2 "unknown option" -xyzzyxyzzy
check "missing value" 2 "needs a value" -m
check "value where none is taken" 2 "takes no value" --snapshot=yes
check "unknown display" 2 "display" -display laser
check "unknown stream" 1 "frobnicator" -serial frobnicator:
check "gdb by a file" 2 "gdb cannot come by" -gdb file:gdb -script quit
check "three serial ports" 2 "serial ports" -serial null -serial null -serial null
check "two users of the terminal" 2 "can have the terminal" -monitor stdio -serial stdio
check "debugger beside a terminal's other user" 2 "can have the terminal" -display tty -debug -monitor stdio
check "debugger in a window" 2 "-display tty only" -display sdl -debug
check "unknown log category" 2 "nonsense" -d nonsense
check "empty log category" 2 "unknown log category" -d int,,cpu
check "log that cannot be written" 1 "/nonexistent/log" -d int -D /nonexistent/log
check "counters that cannot be written" 1 "/nonexistent/counters" -counters /nonexistent/counters
check "directory as log" 1 "directory" -d int -D directory
check "filter that is none" 2 "START+LENGTH" -dfilter everywhere
if [ -w /dev/full ]; then
    check "log on a full disk" 1 "cannot write the log /dev/full" -d exec -D /dev/full -script run-a-little
fi

(ulimit -f 16 && "$doppel" -engine interp -display none -d exec -D limited-log -script run-a-little 2>err) && status=0 || status=$?
if [ "$status" -ne 1 ] || ! grep -q "cannot write the log limited-log" err; then
    echo "FAILED: a log that may not grow: exit status $status: $(cat err)"
    failures=$((failures + 1))
fi

check "missing script" 1 "missing-script" -script missing-script
check "directory as script" 1 "directory" -script directory
check "unknown command in a script" 2 "unknown-command:1:" -script unknown-command
check "open quote in a script" 2 "quotation mark" -script open-quote
check "failing wait" 1 "failing-wait:2: wait-screen" -script failing-wait
check "failing change" 1 "missing.img" -script bad-change
check "directory as commands" 1 "cannot read directory: " -script bad-source
check "exception that is none" 2 "up to 0x1f" -script bad-exception
check "failing screendump" 1 "/nonexistent/x.png" -fda "$image,readonly" -script bad-dump
cp "$image" cut.img
check "image that is cut off while the guest runs" 1 "'cut.img' has become shorter" -icount -fda cut.img -script cut-image
check "status of quit" 5 "" -script quit-5

DOPPEL_ROMS=$work
export DOPPEL_ROMS
printf 'x' >bios-256k.bin
check "bad ROM in DOPPEL_ROMS" 1 "$work/bios-256k.bin" -script quit
unset DOPPEL_ROMS

if [ -w /dev/full ]; then
    status=0
    "$doppel" -help 2>err >/dev/full || status=$?
    if [ "$status" -ne 1 ] || ! grep -q 'could not be written' err; then
        echo "FAILED: output to a full disk: exit status $status"
        failures=$((failures + 1))
    fi
fi

# A file that is opened where standard output was closed must not become it.
"$doppel" -display none -script registers -D closed-log <&- >&- || :
if [ -s closed-log ]; then
    echo "FAILED: the monitor's output is in the log, standard output being closed"
    failures=$((failures + 1))
fi

check "help" 0 "-snapshot" --help
check "version" 0 "doppel " -version
check "CPU models" 0 "pentium3" -cpu help
check "CPU features" 0 "rdrand" -cpu help
check "engines" 0 "interp" -engine help
check "memory strategies" 0 "softtlb" -mmu help
check "what becomes of sensitive instructions" 0 "callout" -sensitive help
check "chains" 0 "off" -chain help
check "log categories" 0 "guest_errors" -d help
check "both spellings" 0 "" --script quit -m 16 -boot a

[ "$failures" -eq 0 ]
