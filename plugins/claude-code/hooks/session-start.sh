#!/bin/sh
# Says in one line that a proposal waits, when one does. Never fails; says nothing else.
exec 2>/dev/null
[ -z "${SKILLOPT_SLEEP_OWN:-}" ] || exit 0
case ${SKILLOPT_SLEEP_HOME:-} in
'') state=${HOME:+$HOME/.skillopt-sleep} ;;
'~/'*) state=${HOME:+$HOME/${SKILLOPT_SLEEP_HOME#'~/'}} ;;
*) state=$SKILLOPT_SLEEP_HOME ;;
esac
case $state in
/*) ;;
*) exit 0 ;;
esac
count=0
for each in "$state"/proposals/*/proposal.json; do
    if [ -f "$each" ]; then count=$((count + 1)); fi
done
case $count in
0) exit 0 ;;
1) told='1 proposal waits' ;;
*) told="$count proposals wait" ;;
esac
told="skillopt-sleep: $told for your review."
# Claude Code and Codex show the person a system message; Copilot only lets the model know.
if [ "${COPILOT_CLI:-}" ]; then
    printf '{"systemMessage":"%s","additionalContext":"%s"}\n' "$told Next: /skillopt-sleep show" \
        "$told Begin your next answer by telling the person so in one line; /skillopt-sleep show has it."
elif [ "${CLAUDECODE:-}" ]; then
    printf '{"systemMessage":"%s"}\n' "$told Next: /skillopt-sleep show"
else
    printf '{"systemMessage":"%s"}\n' "$told Next: ask for skillopt-sleep show"
fi
exit 0
