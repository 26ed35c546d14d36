#!/bin/sh
# Messages with ls, cat and mv, without the command spool:  SPOOL_DIR=/tmp/team examples/mailbox.sh send coder "hello"
#
#   send BOT TEXT   drops a message into the bot's inbox
#   list BOT        what waits there, the most urgent first
#   read BOT        shows what waits, and takes nothing
#   take BOT        claims the first, shows it, and acks it: a rename each
set -eu

: "${SPOOL_DIR:?say which spool: SPOOL_DIR=DIR}"
[ -f "$SPOOL_DIR/spool.json" ] || { echo "mailbox.sh: $SPOOL_DIR is no spool" >&2; exit 69; }
usage() { sed -n 's/^#   //p' "$0" >&2; exit 64; }
[ $# -ge 2 ] || usage
bot=$SPOOL_DIR/bots/$2
[ -d "$bot/inbox" ] || { echo "mailbox.sh: no bot named $2" >&2; exit 67; }

# A text as JSON has it; control characters that need more than a letter are left out.
quote() {
  if command -v jq >/dev/null; then
    printf '%s' "$1" | jq -Rs .
  else
    printf '%s' "$1" | tr -d '\000-\010\013-\037' | sed "s/\\\\/&&/g; s/\"/\\\\&/g; s/$(printf '\t')/\\\\t/g" |
      awk '{ text = text (NR > 1 ? "\\n" : "") $0 } END { print "\"" text "\"" }'
  fi
}

case $1 in
send)
  [ -n "${3-}" ] || usage
  # Written under a name that nobody looks at, then renamed: whole or not there.
  name=$(date -u +%Y%m%dT%H%M%S)-$$-mailbox
  trap 'rm -f "$bot/inbox/.$name"' EXIT
  printf '{"from":%s,"content":%s}\n' "$(quote "${USER:-mailbox}")" "$(quote "$3")" >"$bot/inbox/.$name"
  mv "$bot/inbox/.$name" "$bot/inbox/$name.json"
  ;;
list)
  LC_ALL=C ls "$bot/inbox"
  ;;
read)
  for file in "$bot"/inbox/*.json; do
    [ -f "$file" ] && cat "$file"
  done
  ;;
take)
  now=$(date -u +%Y%m%dT%H%M%S).999999Z
  id='[0-9]\{8\}T[0-9]\{6\}\.[0-9]\{6\}Z-[0-9a-f]\{16\}'
  is() { expr "x$name" : "x$1\$" >/dev/null; }
  for file in "$bot"/inbox/*.json; do
    [ -f "$file" ] || continue
    name=$(basename "$file" .json) attempt=1
    if is "[0-9]-$id~[0-9]*~.*"; then # it waits: U-ID~ATTEMPT~DUE
      expr "${name##*~}" "<=" "$now" >/dev/null || continue
      attempt=${name#*~} name=${name%%~*}
      attempt=$((${attempt%%~*} + 1))
    elif is "[0-9]-$id~[1-9][0-9]*"; then # it was put back: U-ID~ATTEMPT
      attempt=$((${name#*~} + 1)) name=${name%~*}
    elif ! is "[0-9]-$id"; then
      # One that was dropped, and that nobody has named yet: U-ID, with an id of one's own; unless it is being written.
      case $(cat "$file") in *\}) ;; *) continue ;; esac
      # Where the name is an id, who wanted to name it died: the log may have it under this id.
      is "$id" || name=$(date -u +%Y%m%dT%H%M%S).000000Z-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
      name=5-$name
    fi
    # Pid 0 says that no process stands behind the claim: it lasts for its lease.
    claim=$name~$attempt~$(uname -n | tr -c 'A-Za-z0-9._\n-' -).0.1$(od -An -N4 -tx4 /dev/urandom | tr -d ' ').json
    mkdir -p "$bot/claimed" "$bot/done"
    mv "$file" "$bot/claimed/$claim" 2>/dev/null || continue # somebody else was first
    cat "$bot/claimed/$claim"
    mv "$bot/claimed/$claim" "$bot/done/" # an ack; fails when the lease ran out meanwhile
    exit 0
  done
  exit 1
  ;;
*)
  usage
  ;;
esac
