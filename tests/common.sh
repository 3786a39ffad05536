# What tests that are shell scripts share; read by `. DIRECTORY/common.sh`.
#
# A script says why it cannot run with `skip`, works in the directory $work that `make_work_directory` gives it, gets
# from `find_x86_compiler` the $compiler for guests, and from `strategy_options` how the caller wants translated code made.

# skip REASON: ends the test as one that cannot run here.
skip()
{
    echo "SKIPPED: $*"
    exit 77
}

# require_image FILE: without it there is nothing to test.
require_image()
{
    [ -r "$1" ] || skip "the guest image $1 is not there"
}

# Makes $work, a directory that disappears with the script.
make_work_directory()
{
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
}

# Sets $compiler to a GCC that makes 32-bit x86 code.
find_x86_compiler()
{
    for compiler in gcc x86_64-linux-gnu-gcc i686-linux-gnu-gcc; do
        if command -v "$compiler" >/dev/null && echo 'int x;' | "$compiler" -m32 -c -x c -o /dev/null - 2>/dev/null; then
            return
        fi
    done
    skip "there is no GCC for x86 with -m32"
}

# Prints doppel's options for the words in $DOPPEL_TEST_STRATEGIES ("walk,trap,unchained"), which C tests understand too.
strategy_options()
{
    for word in $(echo "${DOPPEL_TEST_STRATEGIES:-}" | tr , ' '); do
        case $word in
        softtlb | walk | shadow | adaptive) echo "-mmu $word" ;;
        inline | callout | trap) echo "-sensitive $word" ;;
        unchained) echo "-chain off" ;;
        *)
            echo "there is no strategy \"$word\"" >&2
            exit 1
            ;;
        esac
    done
}
