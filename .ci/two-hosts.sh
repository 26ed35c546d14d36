#!/usr/bin/env bash
# Two hosts on one network file system: see Tests/TwoHosts/run.sh. The command is $SPOOL.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in mkfs.ext4:e2fsprogs gcc:gcc python3:python3; do
  command -v "${tool%:*}" >/dev/null || { apt-get update -q && apt-get install -y -q "${tool#*:}"; }
done
LIMIT=900 Tests/TwoHosts/run.sh
# The second engine, as far as it differs: messages, competing hosts, tasks, values.
ENGINE=gluster LIMIT=400 Tests/TwoHosts/run.sh reaches missing compete coordinator increments
