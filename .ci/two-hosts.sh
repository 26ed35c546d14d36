#!/usr/bin/env bash
# Two hosts on one network file system: see Tests/TwoHosts/run.sh. The command is $SPOOL.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in mkfs.ext4:e2fsprogs gcc:gcc python3:python3; do
  command -v "${tool%:*}" >/dev/null || { apt-get update -q && apt-get install -y -q "${tool#*:}"; }
done
# The second engine, as far as it differs (messages, competing hosts, tasks, values), beside the first: each has one processor.
output=$(mktemp)
trap 'rm -f "$output"' EXIT
ENGINE=gluster LIMIT=600 Tests/TwoHosts/run.sh reaches missing compete coordinator increments >"$output" 2>&1 &
second=$!
status=0
LIMIT=900 Tests/TwoHosts/run.sh || status=$?
wait "$second" || status=$?
cat "$output"
exit "$status"
