#!/bin/sh
# Notes for the next night that a session ended: one small file, named for the session. Never fails, never speaks.
# Of what the client tells, only the id of the session is kept. `$1` names the client where a hook of its own does.
exec 2>/dev/null
[ -z "${SKILLOPT_SLEEP_OWN:-}" ] || exit 0
PATH=/usr/bin:/bin:/run/current-system/sw/bin
LC_ALL=C
export LC_ALL
umask 077

case ${SKILLOPT_SLEEP_HOME:-} in
'') state=${HOME:+$HOME/.skillopt-sleep} ;;
'~/'*) state=${HOME:+$HOME/${SKILLOPT_SLEEP_HOME#'~/'}} ;;
*) state=$SKILLOPT_SLEEP_HOME ;;
esac
case $state in
/*) ;;
*) exit 0 ;;
esac
# A folder of the person's choosing is never made inside a repository, as the program never makes it there.
if [ "${SKILLOPT_SLEEP_HOME:-}" ] && [ ! -d "$state" ]; then
    above=$state
    while [ "$above" ] && [ ! -d "$above" ]; do above=${above%/*}; done
    above=$(cd -P -- "$above/" && pwd -P) || exit 0
    while [ "$above" ]; do
        [ ! -e "$above/.git" ] || exit 0
        above=${above%/*}
    done
fi
[ ! -t 0 ] || exit 0

# What a client sends is small; one that never ends it must not keep us.
limit=
if command -v timeout >/dev/null; then limit='timeout 1'; fi
told=$($limit cat | head -c 65536 | tr -cd '[:print:]\n' |
    grep -oE '"(session_id|sessionId)" *: *"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"|"(transcript_path|transcriptPath)" *: *"[^"]*"')
id=
path=
while IFS= read -r line; do
    case $line in
    '"session'*) [ "$id" ] || { id=${line%\"} && id=${id##*\"}; } ;;
    *) [ "$path" ] || path=$line ;;
    esac
done <<END
$told
END
[ "$id" ] || exit 0

# A client may run inside another and inherit its environment; the transcript is its own.
client=${1:-}
if [ -z "$client" ]; then
    case $path in
    */rollout-*) client=codex ;;
    */session-state/*) client=copilot ;;
    */projects/*) client=claude ;;
    *) if [ "${COPILOT_CLI:-}" ]; then client=copilot; elif [ "${CLAUDECODE:-}" ]; then client=claude; else client=codex; fi ;;
    esac
fi
case $client in
claude | codex | copilot) ;;
*) exit 0 ;;
esac

queue=$state/queue
mkdir -p "$queue" || exit 0
# Nobody empties it when the engine is not installed.
set -- "$queue"/*.json
[ $# -lt 1000 ] || exit 0
[ ! -d "$queue/$client-$id.json" ] || exit 0
now=$(date -u +%Y-%m-%dT%H:%M:%SZ) || exit 0
fresh=$queue/.$client-$id.$$
if printf '{"schema":"queued/1","client":"%s","session":"%s","ended_at":"%s"}\n' "$client" "$id" "$now" >"$fresh"; then
    mv -f "$fresh" "$queue/$client-$id.json" || rm -f "$fresh"
else
    rm -f "$fresh"
fi
exit 0
