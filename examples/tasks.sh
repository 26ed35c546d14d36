#!/bin/sh
# Tasks by hand, and a workflow that two bots of one line do:  SPOOL_DIR=/tmp/team examples/tasks.sh
set -eu

: "${SPOOL_DIR:?say which spool: SPOOL_DIR=DIR}"
SPOOL=${SPOOL:-spool}
for bot in writer reviewer; do "$SPOOL" register "$bot"; done

# A task is a file, and where it lies says how it stands.
id=$("$SPOOL" task add "name the project" --priority high)
claim=$("$SPOOL" task claim "$id" --as writer 2>/dev/null)
echo "in progress: $(ls "$SPOOL_DIR/tasks/in_progress")"
"$SPOOL" task progress "$claim" 50 "two names left"
"$SPOOL" task complete "$claim" "Nanospool"
echo "completed: $("$SPOOL" task wait "$id")"

# Steps that depend on each other. Each bot gets its task on standard input; what it prints is the result.
workflow=$("$SPOOL" workflow submit - <<'FILE'
{"title": "a reviewed slogan", "steps": [
  {"name": "slogan", "title": "write a slogan", "assign_to": "writer"},
  {"name": "length", "title": "count its letters", "assign_to": "reviewer", "depends_on": ["slogan"]},
  {"name": "verdict", "title": "review it", "description": "{{slogan.result}} ({{length.result}} bytes)",
   "assign_to": "reviewer", "depends_on": ["slogan", "length"]}
]}
FILE
)
"$SPOOL" work writer --tasks -- echo "a queue is a directory" 2>/dev/null &
writer=$!
# shellcheck disable=SC2016
"$SPOOL" work reviewer --tasks -- sh -c 'task=$(cat)
  case $task in
  *\"step\":\"length\"*) printf "%s" "$task" | sed "s/.*\"result\":\"\([^\"]*\)\".*/\1/" | wc -c ;;
  *) printf "%s" "$task" | sed "s/.*\"description\":\"\([^\"]*\)\".*/approved: \1/" ;;
  esac' 2>/dev/null &
reviewer=$!
trap 'kill $writer $reviewer 2>/dev/null || :' EXIT
trap 'exit 130' INT TERM

"$SPOOL" workflow wait "$workflow" --timeout 1m
"$SPOOL" task tree "$workflow"
