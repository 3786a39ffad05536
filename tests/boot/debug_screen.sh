#!/bin/sh
# debug_screen.sh DOPPEL IMAGE: the debugger's screen in a real terminal (tmux) with the demo guest: 80x24 and 160x50, steps,
# a breakpoint, the guest's screen, resizing, to the shell and back. However doppel ends, the terminal is as it was before, also
# when a serial port or the monitor had it.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
image=$2
command -v tmux >/dev/null || skip "tmux is not installed"
make_work_directory
trap 'tmux -S "$work/tmux" kill-server 2>/dev/null || true; rm -rf "$work"' EXIT

in_tmux()
{
    TERM=xterm-256color tmux -u -S "$work/tmux" -f /dev/null "$@"
}

# see TEXT: waits until the terminal shows it; a terminal that has gone never will.
see()
{
    while ! in_tmux capture-pane -p >"$work/screen"; ! grep -qF -- "$1" "$work/screen"; do
        if ! in_tmux has-session; then
            echo "FAILED: the terminal is gone; waited for: $1"
            exit 1
        fi
        sleep 0.1
    done
}

# The screen that was seen last has a line like this.
has()
{
    if ! grep -qE -- "$1" "$work/screen"; then
        echo "FAILED: no line like \"$1\" in:"
        cat "$work/screen"
        exit 1
    fi
}

type_line()
{
    in_tmux send-keys -l "$1"
    in_tmux send-keys Enter
}

# The terminal's settings, known to be printed completely by the word behind them.
settings()
{
    type_line 'clear; stty -g >'"$work/$1"'; echo settings-"are"-written'
    see settings-are-written
}

start()
{
    type_line "clear; sh -c 'echo \$\$ >$work/pid; exec $doppel -debug -reverse --icount shift=6 -snapshot $image'"
    see '> f000:fff0'
}

in_tmux new-session -d -x 80 -y 24 "PS1='shell% ' ENV= sh -i"
see 'shell%'
settings before

start
has '^─\[Code  16-bit, real mode, ring 0\]─.* Registers ─'
has '^─ Memory  ds:esi ─'
has '│eip 0000fff0 '
has '^─ Console  stopped after 0 instructions ─'
has '^ F1 Help .* F9 Run'

# One step: the mark moves, and what has changed is marked.
in_tmux send-keys F7
see 'stopped after 1 instructions'
has '^> f000:e05b '
has '│eip\*0000e05b '

# A breakpoint, by the command line; the answer is in the console.
type_line 'tbreak 0:7c00'
see '> tbreak 0:7c00'
in_tmux send-keys F9
see '> 0000:7c00'
has '^breakpoint 1: reached, after [0-9]+ instructions'
has '│none: F2'

# More room: the guest's screen beside the rest.
in_tmux resize-window -x 160 -y 50
see ' Screen  F5 shows it alone '
has '│SeaBIOS '
has '^> 0000:7c00  [0-9a-f][0-9a-f] '
in_tmux resize-window -x 80 -y 24
in_tmux send-keys F5
see 'any key shows the debugger'
has '^SeaBIOS '
in_tmux send-keys x
see '─ Registers'

# Back in time, and forward again.
in_tmux send-keys M-F7
see 'stopped after 6286723 instructions'
in_tmux send-keys F7
see 'stopped after 6286724 instructions'
type_line 'break f000:e05b'
in_tmux send-keys M-F9
see 'stopped after 1 instructions'
has 'reached, after 1 instructions'
has '^>\*f000:e05b '
in_tmux send-keys M-F9
see 'history begins here'
type_line delete
type_line 'goto 6286724'
see 'stopped after 6286724 instructions'

# To the shell and back.
in_tmux send-keys C-z
see 'shell%'
settings stopped
type_line fg
see '> 0000:7c00'

# By a key, by a signal, and when it is killed.
in_tmux send-keys M-x
see 'shell%'
settings by_key
start
type_line 'quit 3'
see 'shell%'
type_line 'echo "status=$?"'
see 'status=3'
settings by_command
echo nonsense >"$work/script"
type_line "clear; '$doppel' -debug -script '$work/script' -snapshot '$image'"
see 'script:1: unknown command "nonsense"'
start
kill -TERM "$(cat "$work/pid")"
see 'shell%'
settings by_signal
start
kill -KILL "$(cat "$work/pid")"
# The shell may have prompted on the screen that has gone since.
until [ -s "$work/by_kill" ]; do
    in_tmux send-keys C-u
    type_line "clear; stty -g >$work/by_kill"
    sleep 0.5
done

# What has the terminal without a screen.
for what in serial monitor; do
    type_line "clear; sh -c 'echo \$\$ >$work/pid; exec $doppel -S -$what stdio -display none -gdb tcp::0'"
    see 'gdb: listening'
    until ! cmp -s "$work/before" "$work/raw" && [ -s "$work/raw" ]; do
        stty -g <"$(in_tmux display-message -p '#{pane_tty}')" >"$work/raw"
        sleep 0.1
    done
    kill -KILL "$(cat "$work/pid")"
    until cmp -s "$work/before" "$work/killed_$what"; do
        stty -g <"$(in_tmux display-message -p '#{pane_tty}')" >"$work/killed_$what"
        sleep 0.1
    done
    rm "$work/raw"
done
for how in stopped by_key by_command by_signal by_kill; do
    if ! cmp -s "$work/before" "$work/$how"; then
        echo "FAILED: the terminal's settings are others ($how):"
        cat "$work/before" "$work/$how"
        exit 1
    fi
done
