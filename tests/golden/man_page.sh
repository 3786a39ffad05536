#!/bin/sh
# man_page.sh DOPPEL PAGE: the manual page has the options that --help prints, with the same arguments and in the same order.
set -eu

doppel=$1
page=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Options are in columns 3 to 26, or alone on their line when they are longer.
"$doppel" -help | awk '
    /^  -/ {
        option = length($0) > 27 && substr($0, 27, 1) == " " ? substr($0, 3, 24) : substr($0, 3)
        sub(/ +$/, "", option)
        print option
    }' >"$work/help"

# In the page: .TP, then .B or .BI with the option.
awk '
    after_tag && /^\.BI? \\-/ {
        sub(/^\.BI? /, "")
        gsub(/[\\"]/, "")
        gsub(/  +/, " ")
        print
    }
    { after_tag = /^\.TP/ }' "$page" >"$work/page"

if [ ! -s "$work/help" ]; then
    echo "FAILED: --help printed no options"
    exit 1
fi
if ! cmp -s "$work/help" "$work/page"; then
    echo "FAILED: $page (>) differs from --help (<):"
    diff "$work/help" "$work/page" || true
    exit 1
fi
if command -v groff >/dev/null; then
    groff -man -Tascii -ww "$page" >/dev/null 2>"$work/warnings" || true
    if [ -s "$work/warnings" ]; then
        echo "FAILED: groff complains about $page:"
        cat "$work/warnings"
        exit 1
    fi
fi
