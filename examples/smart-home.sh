#!/bin/sh
# A smart home: motion, temperature, lights and a heater, a bot each:  sh examples/smart-home.sh
# Nobody knows anybody by name: who switches a light on asks for any light of the room, and gets the one that answers best.
set -eu
SPOOL=${SPOOL:-spool}
command -v "$SPOOL" >/dev/null || { echo "smart-home.sh: needs spool on the PATH, or SPOOL=its path" >&2; exit 69; }
export SPOOL
here=$(cd "$(dirname "$0")" && pwd)
SPOOL_DIR=$(mktemp -d)/home
export SPOOL_DIR
pids=
trap 'kill $pids 2>/dev/null || :; wait; rm -rf "$(dirname "$SPOOL_DIR")"' EXIT
trap 'exit 130' INT TERM

"$SPOOL" init "$SPOOL_DIR" 2>/dev/null
device() {  # NAME DOMAIN SKILL
  echo "{\"name\": \"$1\", \"domain\": \"$2\", \"skills\": [\"$3\"], \"start\": [\"python3\", \"$here/device.py\"]}" \
    | "$SPOOL" register --file -
  "$SPOOL" work "$1" 2>/dev/null & pids="$pids $!"
  eval "$(echo "$1" | tr - _)=$!"
  until [ -n "$(ls "$SPOOL_DIR/bots/$1/presence")" ]; do sleep 0.05; done
}
device hall-light light hall
device hall-lamp light hall:novice
device kitchen-light light kitchen
device hall-motion motion hall
device kitchen-motion motion kitchen
device thermometer temperature celsius
device heater heating warmth
"$SPOOL" register house

tell() { "$SPOOL" request "$1" "$2" --data "$3" --from house --wait 30s; }
tell hall-motion motion '{"motion": true}'
tell kitchen-motion motion '{"motion": true}'
tell thermometer reading '{"degrees": 21.5}'
tell thermometer reading '{"degrees": 16.5}'
# One light of the hall breaks; the other one is there.
kill -9 "$hall_light"
tell hall-motion motion '{"motion": true}'
echo
"$SPOOL" mesh
"$SPOOL" stats | tail -n 2
