#!/bin/sh
# A researcher and two analysts, each specified in one file:  sh examples/research.sh
# The researcher asks whoever is best at analysis; who that is follows from the log, and one that is killed is passed over.
set -eu
SPOOL=${SPOOL:-spool}
command -v "$SPOOL" >/dev/null || { echo "research.sh: needs spool on the PATH, or SPOOL=its path" >&2; exit 69; }
export SPOOL
here=$(cd "$(dirname "$0")" && pwd)
SPOOL_DIR=$(mktemp -d)/research
export SPOOL_DIR
pids=
trap 'kill $pids 2>/dev/null || :; wait; rm -rf "$(dirname "$SPOOL_DIR")"' EXIT
trap 'exit 130' INT TERM

"$SPOOL" init "$SPOOL_DIR" 2>/dev/null
register() { "$SPOOL" register --file -; }
register <<CARD
{"name": "researcher", "description": "finds where things are said", "domain": "research", "skills": ["reading:advanced"],
 "start": {"program": ["python3", "$here/research.py"]}, "limits": {"timeout_seconds": "30s", "attempts_max": 3}}
CARD
for name in anna otto; do
  register <<CARD
{"name": "$name", "domain": "analysis", "skills": ["statistics:advanced"], "personality": "terse",
 "instructions": "Say where to look first.", "start": {"program": ["python3", "$here/research.py"]}}
CARD
done
"$SPOOL" register user
for name in researcher anna otto; do
  "$SPOOL" work "$name" 2>/dev/null & pids="$pids $!"
  last=$!
  until [ -n "$(ls "$SPOOL_DIR/bots/$name/presence")" ]; do sleep 0.05; done
done

for question in "Where are messages claimed by rename?" "Who renews a lease?" "How is a bot started?"; do
  printf '%s\n  ' "$question"
  "$SPOOL" request any:research "$question" --from user --wait 30s
done
# otto dies; the researcher isn't told, and its questions go to anna.
kill -9 "$last"
printf 'after otto died\n  '
"$SPOOL" request any:research "What is a topic?" --from user --wait 30s
echo
"$SPOOL" mesh
echo
"$SPOOL" reputation --explain anna
