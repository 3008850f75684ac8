#!/bin/sh
# Installs the engine of skillopt-sleep into the data folder of this plugin, in an environment of its own.
# It comes from the clone the client made of the marketplace, or from --from; never from a name on an index.
set -u
umask 077
users_path=${PATH-}
PATH=/usr/bin:/bin:/run/current-system/sw/bin
unset CDPATH PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONINSPECT PYTHONEXECUTABLE PYTHONWARNINGS VIRTUAL_ENV
PYTHONSAFEPATH=1
export PYTHONSAFEPATH

case $0 in
*/*) root=$(cd -P -- "${0%/*}/.." && pwd -P) ;;
*) root=$(cd -P .. && pwd -P) ;;
esac
. "$root/scripts/places.sh"

fail() { # CODE WHAT WHY NEXT
    say "error: $2"
    say "  why: $3"
    say "  next: $4"
    exit "$1"
}

usage='sh bootstrap.sh [--from FOLDER|WHEEL|GIT-URL] [--into FOLDER] [--dry-run]'
find_data
source=
into=$data
is_dry=
while [ $# -gt 0 ]; do
    case $1 in
    --from | --into)
        [ $# -gt 1 ] || fail 2 "$1 names nothing." "It needs a value." "$usage"
        if [ "$1" = --from ]; then source=$2; else into=$2; fi
        shift 2
        ;;
    --dry-run)
        is_dry=yes
        shift
        ;;
    -h | --help)
        printf 'Usage: %s\n' "$usage"
        exit 0
        ;;
    *) fail 2 "There is no option $1." "Those there are: --from, --into, --dry-run." "$usage" ;;
    esac
done

case $into in
/*) ;;
*) fail 2 "There is no folder to install into." "'$into' is not an absolute path." "$usage" ;;
esac

limits=
named=$source
if [ -z "$source" ]; then
    find_source
    [ "$source" ] || fail 2 "The source of the engine was not found." \
        "The client keeps no clone of version $(plugin_version) of the marketplace of this plugin where it usually does." \
        "Update the plugin, or name a clone, a wheel or a git URL: /bin/sh $(quote "$root/scripts/bootstrap.sh") --from FOLDER"
fi
case $source in
git+*://*) ;;
*://*) source=git+$source ;;
*.whl)
    name=${source##*/}
    [ -f "$source" ] && [ "$name" != "${name#skillopt-}" ] ||
        fail 2 "$source is not a wheel of this engine." "Its file is named skillopt-VERSION-py3-none-any.whl." "$usage"
    source=$(physical "$(dirname -- "$source")")/$name
    ;;
*)
    folder=$(physical "$source") || folder=
    [ "$folder" ] && [ -d "$folder/skillopt_sleep" ] && grep -qx 'name = "skillopt"' "$folder/pyproject.toml" ||
        fail 2 "$named is not the source of this engine." \
            "It is neither a clone of its repository, nor a wheel, nor a URL of a git repository." "$usage"
    source=$folder
    if [ -f "$source/constraints.txt" ]; then limits=$source/constraints.txt; fi
    ;;
esac

# Tools come from the person's PATH, without what lies in the folders they work in.
find_projects
safe_path=
is_kept() {
    safe_path=$safe_path${safe_path:+:}$1
    return 1
}
each_safe_entry is_kept

find_uv() {
    [ -x "$1/uv" ] && uv=$1/uv
}
find_python() {
    for each_name in python3.14 python3.13 python3.12 python3.11 python3; do
        if [ -x "$1/$each_name" ] && (cd / && "$1/$each_name" -I -c \
            'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))') 2>/dev/null; then
            python=$1/$each_name
            return 0
        fi
    done
    return 1
}
uv=
python=
each_safe_entry find_uv || each_safe_entry find_python ||
    fail 4 "Neither uv nor Python 3.11 or newer was found." \
        "The engine is a Python program; PATH has neither, outside of the folders you work in (a python3 needs its modules venv and ensurepip)." \
        "Install one, for example as https://docs.astral.sh/uv/ says, then run this again."

say "Installs the engine of skillopt-sleep $(plugin_version)"
say "  from  $source"
say "  with  ${uv:-$python}, which fetches the packages it needs from your package index"
say "  into  $into/engine"
if [ "$is_dry" ]; then
    say "Nothing was done. Without --dry-run it is."
    exit 0
fi

if [ -e "$into/engine" ] && [ ! -L "$into/engine" ]; then
    fail 2 "$into/engine is in the way." "It was not made by this script." "Move it away, or name another folder with --into."
fi
mkdir -p -- "$into/engines" || fail 1 "$into cannot be written." "The system said so above." "Name another folder: $usage"
fresh=$into/engines/$$
trap 'rm -rf -- "$fresh"; exit 130' HUP INT TERM
PATH=$safe_path
if [ "$uv" ]; then
    make() { "$uv" venv --quiet --no-project --no-config --python '>=3.11' "$fresh"; }
    # Compiled now, as pip does: a client waits a second for a server, and not longer for its first start.
    fetch() {
        "$uv" pip install --quiet --no-config --compile-bytecode --python "$fresh/bin/python" \
            ${limits:+--constraint "$limits"} "$source"
    }
else
    make() { "$python" -I -m venv "$fresh"; }
    fetch() {
        "$fresh/bin/python" -I -m pip install --quiet --disable-pip-version-check ${limits:+--constraint "$limits"} "$source"
    }
fi
# Here, so that no configuration of the working directory is read.
cd "$into/engines" || exit 1
answer=
make >&2 && fetch >&2 && answer=$("$fresh/bin/skillopt-sleep" --protocol </dev/null)
case $answer in
"skillopt-sleep-protocol 1 "[0-9]*) ;;
*)
    rm -rf -- "$fresh"
    fail 1 "The engine was not installed; what was there before still is." "What failed is told above." "Mend that, then run this again."
    ;;
esac
PATH=/usr/bin:/bin:/run/current-system/sw/bin
before=
if [ -L "$into/engine" ]; then before=$(physical "$into/engine"); fi
ln -sfn "$fresh" "$into/engine" || fail 1 "$into/engine cannot be written." "The system said so above." "Run this again."
trap - HUP INT TERM
# The last one stays: a client that is running may still be using it. So does what another run of this is making,
# or has just made.
now=$(physical "$into/engine")
for each in "$into/engines"/*; do
    case $(physical "$each") in
    "$fresh" | "$before" | "$now") continue ;;
    esac
    kill -0 "${each##*/}" 2>/dev/null || rm -rf -- "$each"
done
say "Installed ${answer#skillopt-sleep-protocol 1 }."
say "To type it in a terminal: $(quote "$into/engine/bin/skillopt-sleep"), or link that into a folder of your PATH."
say "Next: start the client again, then /skillopt-sleep status. In a Claude Code that is running, and for 15 minutes"
say "after it failed to start the server: /mcp, then plugin:skillopt-sleep:skillopt-sleep, then Reconnect."
