#!/bin/sh
# debian_package.sh CACHE DIRECTORY PACKAGE [MEMBER...]
#
# Unpacks the newest Debian package for i386 whose name is PACKAGE, or matches it as a regular expression, into
# CACHE/DIRECTORY: all of it, or the MEMBERs (patterns as for tar). Nothing is done if that directory is there.
#
# Guests of the tests come this way: by name, from the package sources this computer is configured for, through an apt
# configuration of its own below CACHE, so that neither root nor a foreign architecture in dpkg is needed, and nothing
# is installed. Status 77 with a line "SKIPPED: why" if the package cannot be had.
set -eu
. "$(dirname "$0")/../common.sh"

mkdir -p "$1"
cache=$(cd "$1" && pwd)
directory=$2
package=$3
shift 3

exec 9>"$cache/lock"
if command -v flock >/dev/null; then
    flock 9
fi
[ ! -d "$cache/$directory" ] || exit 0
for tool in apt-get apt-cache dpkg-deb; do
    command -v $tool >/dev/null || skip "$package comes as a Debian package, and $tool is not there"
done

apt=$cache/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status"
cat >"$apt/apt.conf" <<END
APT::Architecture "i386";
APT::Architectures { "i386"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Log "$apt";
END
export APT_CONFIG="$apt/apt.conf"

# A source that does not answer is no failure as long as another has the package.
update()
{
    apt-get -q update >"$apt/update.log" 2>&1 || true
}

# Prints the package's full name; fails if no source has it.
find_name()
{
    case $package in
    ^*) apt-cache --names-only search "$package" | cut -d ' ' -f 1 | sort -V | tail -n 1 | grep . ;;
    *) apt-cache --names-only search "^$(echo "$package" | sed 's/[.+]/\\&/g')\$" | cut -d ' ' -f 1 | grep . ;;
    esac
}

download()
{
    rm -f "$apt"/new/*.deb
    mkdir -p "$apt/new"
    name=$(find_name) && (cd "$apt/new" && apt-get -q download "$name") >"$apt/download.log" 2>&1
}

if ! { [ -f "$apt/update.log" ] && download; }; then # lists age: packages they name are replaced by newer ones
    update
    if ! download; then
        why=$(cat "$apt/update.log" "$apt/download.log" 2>/dev/null | grep '^[EW]: ' | tail -n 1)
        skip "$package for i386 could not be fetched: ${why:-no package source has it}"
    fi
fi

rm -rf "$cache/$directory.new"
mkdir "$cache/$directory.new"
dpkg-deb --fsys-tarfile "$apt"/new/*.deb | tar -x -f - -C "$cache/$directory.new" --wildcards "$@"
rm -f "$apt"/new/*.deb
mv "$cache/$directory.new" "$cache/$directory"
