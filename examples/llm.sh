#!/bin/sh
# Joins a language model's command line as a bot:  spool work writer --timeout 5m -- examples/llm.sh llm -m MODEL
#
# Any command will do that reads a prompt on standard input and prints its answer. Without one a stand-in answers, which
# needs no network. The prompt is the message's content, with its context and what was said before in its conversation.
set -eu

SPOOL=${SPOOL:-spool}
command -v jq >/dev/null || { echo "llm.sh: needs jq" >&2; exit 75; }

stand_in() {
  awk '{ words += NF; last = $0 } END { printf "(no model was given) a prompt of %d words, which ends: %s\n", words, last }'
}

message=$(cat)
content=$(printf '%s' "$message" | jq -r '.content // empty')
[ -n "$content" ] || { echo "a message without content is no prompt" >&2; exit 65; } # it never will be: give up

prompt=$(
  printf 'You are the bot %s. Answer the last message.\n' "$SPOOL_BOT"
  # The thread ends with the message itself.
  "$SPOOL" thread --json "$SPOOL_CONVERSATION" | tail -n 21 |
    jq -r --arg id "$SPOOL_ID" '(.message // .data.message) as $m | select(($m.id // .subject) != $id)
      | "\($m.from // "somebody"): \($m.content // "")"'
  printf '%s' "$message" | jq -r 'select(.context != null) | "Context: \(.context | tojson)"'
  printf '%s: %s\n' "${SPOOL_FROM:-somebody}" "$content"
)

[ $# -gt 0 ] || set -- stand_in
# Models are busy at times: whatever goes wrong is tried again, later and later.
answer=$(printf '%s\n' "$prompt" | "$@") || { echo "$1 failed" >&2; exit 75; }
[ -n "$answer" ] || { echo "$1 said nothing" >&2; exit 75; }
printf '%s\n' "$answer"
