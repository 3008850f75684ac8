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
0) ;;
1) printf '{"systemMessage":"skillopt-sleep: 1 proposal waits for your review. Next: /skillopt-sleep show"}\n' ;;
*) printf '{"systemMessage":"skillopt-sleep: %d proposals wait for your review. Next: /skillopt-sleep show"}\n' "$count" ;;
esac
exit 0
