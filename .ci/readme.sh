#!/usr/bin/env bash
# Runs what the README shows, block after block, as a newcomer would paste it. The command is $SPOOL, or spool on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

SPOOL=$(realpath "$(command -v "${SPOOL:-spool}")")
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
mkdir "$directory/bin"
ln -s "$SPOOL" "$directory/bin/spool"
cp -r examples "$directory/"
# Those that the reader is to write.
printf '#!/bin/sh\necho "as you say"\n' >"$directory/ada.sh"
printf '#!/bin/sh\necho "my part"\n' >"$directory/part.sh"
chmod +x "$directory"/*.sh

# The blocks but for those that build, test, or make users and groups; before each, which it is.
python3 - README.md >"$directory/blocks.sh" <<'PYTHON'
import re
import sys

text = open(sys.argv[1]).read()
blocks = [block for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) if not re.search(r"swift (build|test)|sudo", block)]
for number, block in enumerate(blocks, 1):
    block = re.sub(r'^export PATH=\S+ SPOOL_DIR=\S+\n', "", block).replace("/tmp/team", "$SPOOL_DIR")
    print(f"printf 'readme: block %d of %d\\n' {number} {len(blocks)} >&2\n{block}")
if len(blocks) < 6:
    sys.exit(f"only {len(blocks)} blocks")
PYTHON

# In a group of its own, so that what it leaves in the background can be ended with it.
cd "$directory"
status=0
PATH=$directory/bin:$PATH SPOOL_DIR=$directory/team PYTHONDONTWRITEBYTECODE=1 \
  timeout --kill-after=20 180 bash -euo pipefail -c '
    trap "kill \$(jobs -p) 2>/dev/null; wait" EXIT
    . ./blocks.sh' >output 2>errors </dev/null || status=$?
fail() { cat output errors >&2; echo "readme: $*" >&2; exit 1; }
[ "$status" = 0 ] || fail "ended with $status"
for wanted in '^{"content":"hello"}$' 'said, attempt 1: hello$' '"test": "done"' '^as you say$' '"viz":"my part"' \
  '^## Test and review this: '; do
  grep -q -- "$wanted" output || fail "the output has no line with $wanted"
done
