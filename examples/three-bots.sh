#!/bin/sh
# A planner, a coder and a tester hand work on, in a new spool:  examples/three-bots.sh "the squares of 1 to 5"
#
# Each is a process of its own that only knows its inbox. The context travels with the message, so each sees what those
# before it did. The tester's FAIL goes back to the coder with what was wrong.
set -eu

SPOOL=${SPOOL:-spool}
command -v "$SPOOL" >/dev/null || { echo "three-bots.sh: needs spool on the PATH, or SPOOL=its path" >&2; exit 69; }
request=${1:-the squares of 1 to 5}
command -v jq >/dev/null || { echo "three-bots.sh: needs jq" >&2; exit 69; }
directory=$(mktemp -d)
SPOOL_DIR=$directory/spool
export SPOOL_DIR
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM

"$SPOOL" init "$SPOOL_DIR" 2>/dev/null
for bot in user planner coder tester; do "$SPOOL" register "$bot" >/dev/null; done

field() { printf '%s' "$message" | jq -r "$1"; }

# Takes messages out of $1's inbox, for each calls the function of that name, and acks when that went well.
bot() {
  while claim=$("$SPOOL" receive "$1" --wait 60s --json 2>/dev/null); do
    token=$(printf '%s' "$claim" | jq -r .claim)
    message=$(printf '%s' "$claim" | jq .message)
    if [ "$(field .type)" = stop ]; then exec "$SPOOL" ack "$token"; fi
    if "$1"; then "$SPOOL" ack "$token"; else "$SPOOL" nack "$token" --delay 1s; fi
  done
}

# Hands the work on: to $1, saying $2, with the filter $3 applied to its context.
hand_on() {
  echo "$bot -> $1: $2"
  "$SPOOL" send "$1" "$2" --type handoff --from "$bot" --conversation "$(field '.conversation // .id')" \
    --context "$(printf '%s' "$message" | jq -c --arg said "$bot: $2" "(.context // {}) | $3 | .history += [\$said]")" >/dev/null
}

planner() {
  numbers=$(field .content | grep -oE '[0-9]+ to [0-9]+') || numbers='1 to 3'
  hand_on coder "square each of $numbers" ".request = $(field .content | jq -R .) | .plan = {first: ${numbers% to *}, last: ${numbers#* to }}"
}

# Its first program is wrong; it mends what the tester found.
coder() {
  case $(field '.context.failure // ""') in
  '') program='{ print $1 * 2 }' ;;
  *) program='{ print $1 * $1 }' ;;
  esac
  hand_on tester "try: awk '$program'" ".program = $(printf '%s' "$program" | jq -R .)"
}

tester() {
  first=$(field .context.plan.first) last=$(field .context.plan.last)
  got=$(seq "$first" "$last" | awk "$(field .context.program)" | paste -sd' ' -)
  wanted=$(seq "$first" "$last" | while read -r n; do echo $((n * n)); done | paste -sd' ' -)
  if [ "$got" = "$wanted" ]; then
    hand_on user "PASS: $got" 'del(.failure)'
  else
    hand_on coder "FAIL: got $got, wanted $wanted" ".failure = \"wanted $wanted\""
  fi
}

for bot in planner coder tester; do bot "$bot" & done
"$SPOOL" send planner "$request" --from user >/dev/null
result=$("$SPOOL" receive user --wait 60s --ack --json)
"$SPOOL" send planner,coder,tester "that is all" --type stop --from user >/dev/null
wait
printf '%s' "$result" | jq -r '"result: \(.message.content)", "how it came about:", "  \(.message.context.history[])"'
