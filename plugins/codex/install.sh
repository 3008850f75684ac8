#!/bin/sh
# Wires skillopt-sleep into Codex: its MCP server, its skill and, with --hook, its hooks. `uninstall` takes all of it
# out again. It needs nothing beside it; `skillopt-sleep install codex` does the work, and this finds that program.
set -u
users_path=${PATH-}
PATH=/usr/bin:/bin:/run/current-system/sw/bin
unset CDPATH PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONINSPECT PYTHONEXECUTABLE PYTHONWARNINGS
PYTHONSAFEPATH=1
export PYTHONSAFEPATH

usage='sh install.sh [install|uninstall] [--with-engine] [--hook] [--dry-run] [--home DIR] [--json]'
say() { printf '%s\n' "$*" >&2; }
quote() {
    unquoted=$1
    quoted=
    while [ "$unquoted" != "${unquoted#*\'}" ]; do
        quoted="$quoted${unquoted%%\'*}'\\''"
        unquoted=${unquoted#*\'}
    done
    printf "'%s'" "$quoted$unquoted"
}
physical() { (cd -P -- "$1" 2>/dev/null && pwd -P); }

act=install
is_fetched=
is_dry=
n_words=$#
while [ "$n_words" -gt 0 ]; do
    word=$1
    shift
    n_words=$((n_words - 1))
    case $word in
    install | uninstall) act=$word ;;
    --uninstall) act=uninstall ;;
    --with-engine) is_fetched=yes ;;
    -h | --help)
        printf 'Usage: %s\n' "$usage"
        exit 0
        ;;
    --home)
        [ "$n_words" -gt 0 ] || { say "error: --home names nothing."; say "  next: $usage"; exit 2; }
        set -- "$@" --home "$1"
        shift
        n_words=$((n_words - 1))
        ;;
    --dry-run)
        is_dry=yes
        set -- "$@" "$word"
        ;;
    --hook | --json | --home=*) set -- "$@" "$word" ;;
    *)
        say "error: There is no option $word."
        say "  next: $usage"
        exit 2
        ;;
    esac
done

case $0 in
*/*) here=$(physical "${0%/*}") ;;
*) here=$(pwd -P) ;;
esac
state=${SKILLOPT_SLEEP_HOME:-${HOME:+$HOME/.skillopt-sleep}}
case $state in
'~/'*) state=${HOME-}/${state#'~/'} ;;
esac
data=${XDG_DATA_HOME:-${HOME:+$HOME/.local/share}}
data=${data:+$data/skillopt-sleep}
strangers=

# Whether $1 is the program: it says so itself, asked where nothing lies that it could take for its own.
is_engine() {
    case $1 in
    /*) [ -f "$1" ] && [ -x "$1" ] || return 1 ;;
    *) return 1 ;;
    esac
    limit=
    if command -v timeout >/dev/null; then limit='timeout 10'; fi
    # One line is all that is listened to: another program may talk without end.
    answer=$(cd / && SKILLOPT_SLEEP_ASKED=1 $limit "$1" --protocol </dev/null 2>/dev/null |
        { IFS= read -r line && printf %s "$line"; })
    case $answer in
    "skillopt-sleep-protocol 1 "[0-9]*)
        engine=$1
        return 0
        ;;
    esac
    strangers="$strangers
  found: $1, which does not answer as this program does; it is another one, or broken."
    return 1
}

# The folder with `.git` that $1 lies in; only looked at.
git_root() {
    each=$1
    while [ "$each" ] && [ ! -e "$each/.git" ]; do each=${each%/*}; done
    printf %s "$each"
}

# Whether the folder $1 may name programs to run: it is absolute, and not below where the person works.
is_safe() {
    case $1 in
    /*) ;;
    *) return 1 ;;
    esac
    entry=$(physical "$1") && [ "$entry" ] && [ "$cwd" ] || return 1
    for each in "$cwd" "$cwd_root"; do
        [ "$each" ] || continue
        [ "$entry" != "$each" ] || return 1
        # Who works in the home folder itself, or above, has programs of their own below.
        case ${person%/}/ in
        "${each%/}"/*) continue ;;
        esac
        case $entry/ in
        "$each"/*) return 1 ;;
        esac
    done
    return 0
}

find_engine() {
    engine=
    if [ "${SKILLOPT_SLEEP_ENGINE:-}" ]; then
        is_engine "$SKILLOPT_SLEEP_ENGINE" && return 0
        say "error: SKILLOPT_SLEEP_ENGINE does not name the program: $SKILLOPT_SLEEP_ENGINE"
        say "  why: it has to be the absolute path of a skillopt-sleep that answers \`--protocol\`."
        say "  next: unset it, or set it to that path, then run this again."
        exit 2
    fi
    cwd=$(pwd -P) || cwd=
    cwd_root=$(git_root "$cwd")
    person=$(physical "${HOME:-/}")
    # A state folder is never in a repository; one there was put there for us to find.
    if is_safe "$state" && [ -f "$state/engine" ]; then
        recorded=
        IFS= read -r recorded <"$state/engine" || :
        is_engine "$recorded" && return 0
    fi
    is_safe "$data" && is_engine "$data/engine/bin/skillopt-sleep" && return 0
    rest=$users_path:
    while [ "$rest" ]; do
        one=${rest%%:*}
        rest=${rest#*:}
        if is_safe "$one" && is_engine "${one%/}/skillopt-sleep"; then return 0; fi
    done
    return 1
}

bootstrap=${here%/plugins/codex}/plugins/claude-code/scripts/bootstrap.sh
[ "$here" != "${here%/plugins/codex}" ] && [ -f "$bootstrap" ] || bootstrap=
if ! find_engine; then
    if [ "$is_fetched" ] && [ "$bootstrap" ] && [ "$data" ]; then
        PATH=$users_path /bin/sh "$bootstrap" --from "${here%/plugins/codex}" --into "$data" ${is_dry:+--dry-run} ||
            exit $?
        if [ "$is_dry" ]; then
            say "What it would write for Codex, it can say once it is there."
            exit 0
        fi
        strangers=
        find_engine
    fi
fi
if [ -z "$engine" ]; then
    say "error: The program skillopt-sleep is not installed."
    say "  why: none is recorded in ${state:-the state folder}/engine, none is in ${data:-the data folder}/engine, and no" \
        "skillopt-sleep on PATH is it (folders you work in are left out).$strangers"
    again="$act --with-engine"
    for word in "$@"; do again="$again $(quote "$word")"; done
    if [ "$bootstrap" ]; then
        say "  next: sh $(quote "$here/install.sh") $again"
        say "  That makes an environment in $data with uv or Python 3.11, from this clone, then goes on."
    else
        say "  next: sh FOLDER/plugins/codex/install.sh $again"
        say "  FOLDER is a clone of the repository this script comes from."
    fi
    exit 4
fi
PATH=$users_path
exec "$engine" "$act" codex "$@"
