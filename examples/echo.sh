#!/bin/sh
# A bot that says back what it is told:  spool work echo -- examples/echo.sh
#
# `spool work` starts it for each message: the message on standard input, the reply on standard output. What it ends
# with is the verdict: 0 is done, 75 try again later, 65 give up, anything else try again.
set -eu

command -v jq >/dev/null || { echo "echo.sh: needs jq" >&2; exit 75; }
message=$(cat)
text=$(printf '%s' "$message" | jq -r '.content // empty')
[ -n "$text" ] || { echo "nothing to echo" >&2; exit 65; }

# SPOOL_BOT, SPOOL_ID, SPOOL_FROM, SPOOL_CONVERSATION and SPOOL_ATTEMPT say the rest.
printf '%s said, attempt %s: %s\n' "${SPOOL_FROM:-somebody}" "$SPOOL_ATTEMPT" "$text"
