# Where the plugin, its data, its marketplace and the person's programs are. Sourced by the scripts beside it, which
# set `root` to the plugin and `users_path` to the PATH they were given. Runs nothing of the working directory.

say() { printf '%s\n' "$*" >&2; }

# One word of a command line, to be copied.
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

plugin_version() {
    while IFS= read -r line; do
        case $line in
        *'"version": "'*)
            line=${line#*'"version": "'}
            printf '%s\n' "${line%%\"*}"
            return
            ;;
        esac
    done <"$root/.claude-plugin/plugin.json"
}

# Sets `state` to the folder of the state, or to nothing when no folder can be told.
find_state() {
    state=${SKILLOPT_SLEEP_HOME:-${HOME:+$HOME/.skillopt-sleep}}
    case $state in
    '~') state=${HOME-} ;;
    '~/'*) state=${HOME-}/${state#'~/'} ;;
    esac
    case $state in
    /*) ;;
    *) state= ;;
    esac
}

# Sets `data`, where an engine of this plugin's own belongs; `told_data` when only the client said so; and `shared`,
# where one that no client keeps belongs. Clients keep a plugin as BASE/plugins/cache/MARKET/PLUGIN/VERSION (Claude
# Code, Codex) or BASE/installed-plugins/MARKET/PLUGIN (Copilot), beside a clone of the marketplace.
find_data() {
    shared=${XDG_DATA_HOME:-${HOME:+$HOME/.local/share}}
    case $shared in
    /*) shared=$shared/skillopt-sleep ;;
    *) shared= ;;
    esac
    told_data=
    base=
    market=
    case $root in
    */plugins/cache/*/skillopt-sleep/*)
        base=${root%/plugins/cache/*}
        market=${root#"$base"/plugins/cache/}
        ;;
    */plugins/marketplaces/*/plugins/claude-code)
        base=${root%/plugins/marketplaces/*}
        market=${root#"$base"/plugins/marketplaces/}
        ;;
    */.tmp/marketplaces/*/plugins/claude-code)
        base=${root%/.tmp/marketplaces/*}
        market=${root#"$base"/.tmp/marketplaces/}
        ;;
    */installed-plugins/*/skillopt-sleep)
        base=${root%/installed-plugins/*}
        data=$base/plugin-data/${root#"$base"/installed-plugins/}
        return
        ;;
    esac
    market=${market%%/*}
    if [ "$base" ]; then
        data=$base/plugins/data/skillopt-sleep-$market
        return
    fi
    if [ "${CLAUDE_PLUGIN_ROOT:-}" ] && [ "$(physical "$CLAUDE_PLUGIN_ROOT")" = "$root" ]; then
        case ${CLAUDE_PLUGIN_DATA:-} in
        /*) told_data=$CLAUDE_PLUGIN_DATA ;;
        esac
    fi
    data=${told_data:-$shared}
}

# Whether $1 holds the source of the engine that belongs to this plugin.
is_source() {
    [ -f "$1/pyproject.toml" ] && [ -d "$1/skillopt_sleep" ] &&
        grep -qx 'name = "skillopt"' "$1/pyproject.toml" &&
        grep -qx "version = \"$(plugin_version)\"" "$1/pyproject.toml" &&
        [ "$(cat "$1/plugins/claude-code/scripts/bootstrap.sh" 2>/dev/null)" = "$(cat "$root/scripts/bootstrap.sh")" ]
}

# Sets `source` to what the marketplace was cloned to, or to nothing. Called after find_data.
find_source() {
    source=
    if [ "$base" ]; then
        for each in "$base/plugins/marketplaces/$market" "$base/.tmp/marketplaces/$market" \
            "$base"/.cache/copilot/marketplaces/*; do
            if is_source "$each"; then
                source=$each
                return
            fi
        done
    else
        # Served from the folder of a checkout: the one this plugin lies in.
        each=${root%/plugins/claude-code}
        if [ "$each" != "$root" ] && is_source "$each"; then source=$each; fi
    fi
}

# Sets `found` to the folder with `.git` that $1 lies in, or to nothing. Git is not asked.
find_git_root() {
    found=$1
    while [ "$found" ] && [ ! -e "$found/.git" ]; do found=${found%/*}; done
}

# Sets the folders that no program may come from: those the person works in.
find_projects() {
    here=$(pwd -P) || here=
    claude=
    copilot=
    [ -z "${CLAUDE_PROJECT_DIR:-}" ] || claude=$(physical "$CLAUDE_PROJECT_DIR")
    [ -z "${COPILOT_PROJECT_DIR:-}" ] || copilot=$(physical "$COPILOT_PROJECT_DIR")
    caller=$(physical "/proc/$PPID/cwd")
    find_git_root "$here"
    here_root=$found
    find_git_root "$claude"
    claude_root=$found
    find_git_root "$copilot"
    copilot_root=$found
    find_git_root "$caller"
    caller_root=$found
    person=$(physical "${HOME:-/}")
    # A client that starts servers in the plugin's folder may not say where the person works.
    is_known=yes
    if [ "$here" = "$root" ] && [ "${caller:-$root}" = "$root" ] &&
        [ -z "$claude$copilot" ]; then is_known=; fi
}

# Whether $1, a physical path, is one of those folders or lies in one.
is_of_projects() {
    for each in "$here" "$here_root" "$claude" "$claude_root" "$copilot" "$copilot_root" "$caller" "$caller_root"; do
        [ "$each" ] || continue
        [ "$1" != "$each" ] || return 0
        # Who works in the home folder itself, or above, has programs of their own below.
        case ${person%/}/ in
        "${each%/}"/*) continue ;;
        esac
        case $1/ in
        "$each"/*) return 0 ;;
        esac
    done
    return 1
}

# Whether the programs of $1, an entry of PATH, may be run.
is_safe_entry() {
    case $1 in
    /*) ;;
    *) return 1 ;;
    esac
    entry=$(physical "$1") && [ "$entry" ] && [ "$here" ] && ! is_of_projects "$entry"
}

# Calls `$1 ENTRY` for each safe entry of the person's PATH until one succeeds.
each_safe_entry() {
    rest=$users_path:
    while [ "$rest" ]; do
        one=${rest%%:*}
        rest=${rest#*:}
        if is_safe_entry "$one" && "$1" "$one"; then return 0; fi
    done
    return 1
}
