#!/bin/sh
# object_rules.sh OBJDUMP LIBRARY...
#
# Proves of the modules' compiled objects what their sources promise:
#   - there is no mutable data outside functions' frames and the heap, so that two machines in one process
#     cannot meet. Constants that hold addresses lie in .data.rel.ro and are constants all the same. The one
#     exception is fault_table of host/fault_signal.c, where a signal handler finds the thread it is for.
#   - nothing that a guest can see reads the host's clock: guest time is the event clock's.
set -eu

objdump=$1
shift
if [ $# -eq 0 ]; then
    echo "FAILED: no libraries were named"
    exit 1
fi
for library in "$@"; do
    "$objdump" -t "$library" || echo "unreadable $library"
done | awk '
    /^In archive/ {
        library = $3
        sub(/^.*libdoppel_/, "", library)
        sub(/\.a:$/, "", library)
        libraries++
    }
    /file format/ {
        object = $1
        sub(/:$/, "", object)
        if (object ~ /\)$/) { # as LLVM writes it: LIBRARY(OBJECT)
            library = object
            sub(/^.*libdoppel_/, "", library)
            sub(/\.a\(.*$/, "", library)
            sub(/^.*\(/, "", object)
            sub(/\)$/, "", object)
            libraries++
        }
    }
    /^unreadable/ { print; failed = 1 }
    # Section symbols ("d") and the local labels of constants say nothing.
    / (\.t?data|\.t?bss|\*COM\*)[^ \t]*[ \t]/ && !/ \.data\.rel\.ro/ && !/ d / &&
        !(library == "host" && object == "fault_signal.c.o" && $NF == "fault_table" && / l /) {
        print library "/" object " " $NF ": mutable data at file scope"
        failed = 1
    }
    /\*UND\*/ && library !~ /^(host|ui|chardev|app)$/ &&
        $NF ~ /^(time|ftime|clock|clock_gettime|gettimeofday|timespec_get|localtime|localtime_r)$/ {
        print library "/" object " calls " $NF ": guest time comes from the event clock"
        failed = 1
    }
    END {
        if (libraries == 0) {
            print "no objects were found"
            failed = 1
        }
        exit failed
    }'
