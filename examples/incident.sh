#!/bin/sh
# A group that responds to an incident, and loses a member on the way:  sh examples/incident.sh
# One of the two that know databases dies in the middle; the other one goes on from where that was.
set -eu
SPOOL=${SPOOL:-spool}
command -v "$SPOOL" >/dev/null || { echo "incident.sh: needs spool on the PATH, or SPOOL=its path" >&2; exit 69; }
here=$(cd "$(dirname "$0")" && pwd)
SPOOL_DIR=$(mktemp -d)/incident
export SPOOL_DIR
pids=
trap 'kill $pids 2>/dev/null || :; wait; rm -rf "$(dirname "$SPOOL_DIR")"' EXIT
trap 'exit 130' INT TERM

"$SPOOL" init "$SPOOL_DIR" 2>/dev/null
for bot in net:network db-first:database db-second:database press:communication; do
  "$SPOOL" register "${bot%:*}" --skill "${bot#*:}:expert"
  "$SPOOL" work "${bot%:*}" --negotiate -- python3 "$here/responder.py" 2>/dev/null & pids="$pids $!"
done
"$SPOOL" coordinate & pids="$pids $!"
until [ "$(ls "$SPOOL_DIR"/bots/*/presence 2>/dev/null | grep -c '\.[0-9]*\.')" -ge 5 ]; do sleep 0.05; done

id=$("$SPOOL" announce "Checkout is down" --from human --deadline 1m --priority critical \
  --skill network --skill database --skill communication)
"$SPOOL" group wait "$id"
echo "== the story, as the members heard it"
"$SPOOL" thread "$id"
echo "== how it ended"
"$SPOOL" group show "$id"
