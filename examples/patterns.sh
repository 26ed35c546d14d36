#!/bin/sh
# The four ways to answer a request, with five bots:  sh examples/patterns.sh
# Routing to one, a sequence, parts in parallel, and a discussion; the coordinator chooses by what is asked.
set -eu
SPOOL=${SPOOL:-spool}
command -v "$SPOOL" >/dev/null || { echo "patterns.sh: needs spool on the PATH, or SPOOL=its path" >&2; exit 69; }
here=$(cd "$(dirname "$0")" && pwd)
SPOOL_DIR=$(mktemp -d)/patterns
export SPOOL_DIR
pids=
trap 'kill $pids 2>/dev/null || :; wait; rm -rf "$(dirname "$SPOOL_DIR")"' EXIT
trap 'exit 130' INT TERM

"$SPOOL" init "$SPOOL_DIR" 2>/dev/null
for domain in research development design quality; do
  "$SPOOL" register "$domain-bot" --domain "$domain"
  "$SPOOL" work "$domain-bot" --tasks -- python3 "$here/specialist.py" & pids="$pids $!"
done
# One that answers messages, and has an opinion.
"$SPOOL" register skeptic
"$SPOOL" work skeptic -- sh -c 'cat >/dev/null; echo "No: it costs more than it brings."' & pids="$pids $!"
"$SPOOL" coordinate & pids="$pids $!"

ask() { printf '\n== %s\n' "$1"; "$SPOOL" ask --from human --timeout 1m "$1"; }
ask "What's the latest in AI?"
ask "Build a login system with security review"
ask "Build and launch a mobile app for fitness tracking"
ask "Should we migrate to microservices?"
echo
"$SPOOL" task list --all
