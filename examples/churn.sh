#!/bin/sh
# A group of four skills that forms itself to predict churn:  sh examples/churn.sh
# Four bots of one skill each, and one that could do two of them and is more expensive; each works on the same data.
set -eu
SPOOL=${SPOOL:-spool}
command -v "$SPOOL" >/dev/null || { echo "churn.sh: needs spool on the PATH, or SPOOL=its path" >&2; exit 69; }
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d)
export SPOOL_DIR="$directory/churn"
pids=
trap 'kill $pids 2>/dev/null || :; wait; rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM

"$SPOOL" init "$SPOOL_DIR" 2>/dev/null
for skill in sql statistics ml reporting; do
  "$SPOOL" register "$skill-bot" --skill "$skill:expert"
  "$SPOOL" work "$skill-bot" --negotiate -- python3 "$here/analyst.py" & pids="$pids $!"
done
"$SPOOL" register generalist --skill ml:advanced --skill sql:advanced
"$SPOOL" work generalist --negotiate --bid "python3 '$here/analyst.py' --bid 3" -- python3 "$here/analyst.py" &
pids="$pids $!"
"$SPOOL" coordinate & pids="$pids $!"
until [ "$(ls "$SPOOL_DIR"/bots/*/presence 2>/dev/null | grep -c '\.[0-9]*\.')" -ge 6 ]; do sleep 0.05; done

python3 "$here/analyst.py" --customers 400 >"$directory/customers.csv"
id=$("$SPOOL" announce "Which customers will leave?" --from human --deadline 1m --max-group 4 --priority high \
  --skill sql:intermediate --skill statistics:intermediate --skill ml:advanced --skill reporting:novice \
  --context "{\"file\": \"$directory/customers.csv\"}")
echo "== the group's result"
"$SPOOL" group wait "$id"
echo "== why these"
"$SPOOL" group show "$id" --explain
echo "== the story"
"$SPOOL" thread "$id"
"$SPOOL" task tree --all
