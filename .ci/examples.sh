#!/usr/bin/env bash
# Runs each example as its first comment says, and looks at what it prints. The command is $SPOOL, or spool on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

SPOOL=$(command -v "${SPOOL:-spool}") || { echo "examples: no spool; set SPOOL" >&2; exit 1; }
SPOOL=$(realpath "$SPOOL")
export SPOOL
for tool in jq python3 timeout; do
  command -v "$tool" >/dev/null || { echo "examples: needs $tool" >&2; exit 1; }
done

directory=$(mktemp -d)
export SPOOL_DIR=$directory/spool PYTHONDONTWRITEBYTECODE=1
workers=()
clean() {
  for pid in "${workers[@]}"; do kill "$pid" 2>/dev/null || :; done
  for pid in "${workers[@]}"; do wait "$pid" 2>/dev/null || :; done
  rm -rf "$directory"
}
trap clean EXIT

bounded() { timeout --kill-after=5 60 "$@"; }
spool() { bounded "$SPOOL" "$@"; }
fail() { echo "examples: $*" >&2; exit 1; }

# equal GOT WANTED WHAT
equal() { [ "$1" = "$2" ] || fail "$3: got '$1', wanted '$2'"; }
# has GOT PATTERN WHAT
has() { [[ $1 == $2 ]] || fail "$3: got '$1', wanted '$2'"; }

# Starts `spool work` with the arguments; it is stopped at the end.
work() {
  timeout --kill-after=5 180 "$SPOOL" work "$@" 2>>"$directory/work.log" &
  workers+=($!)
}

begin() { printf 'examples: %s\n' "$1"; }

spool init "$SPOOL_DIR" 2>/dev/null
for bot in user coder echo editor writer modelled py counter; do spool register "$bot" >/dev/null; done

begin "every example says in its first comment how it is run"
for file in examples/*.sh examples/*.py; do
  has "$(grep -m 1 '^# ' "$file")" "# *:  *$file*" "$file's first comment"
done
for file in examples/*; do
  case $file in examples/README.md | examples/__pycache__) continue ;; esac
  grep -q "\`$(basename "$file")\`" examples/README.md || fail "examples/README.md doesn't name $file"
done

begin "echo.sh"
work echo -- examples/echo.sh
text=$'two lines\nand "quotes" \\ ü'
equal "$(spool request echo "$text" --from user --wait 30s)" "user said, attempt 1: $text" "the echo"

begin "mailbox.sh, with jq and without"
mkdir "$directory/bin"
for tool in sh cat ls mv rm tr awk sed date od uname mkdir basename expr; do ln -s "$(command -v "$tool")" "$directory/bin/"; done
bounded examples/mailbox.sh send coder "$text"
equal "$(spool receive coder --wait 10s --ack 2>/dev/null)" "$text" "dropped with jq"
PATH=$directory/bin examples/mailbox.sh send coder $'tab\t'"$text"
equal "$(spool receive coder --wait 10s --ack 2>/dev/null)" $'tab\t'"$text" "dropped without jq"
id=$(spool send coder "to be taken" --from user)
has "$(examples/mailbox.sh list coder)" "*5-$id.json*" "the list"
has "$(examples/mailbox.sh read coder)" '*"content":"to be taken"*' "what is read"
has "$(PATH=$directory/bin examples/mailbox.sh take coder)" '*"content":"to be taken"*' "what is taken"
equal "$(ls "$SPOOL_DIR/bots/coder/inbox" "$SPOOL_DIR/bots/coder/claimed" | grep -c json || :)" 0 "what is left"
spool receive coder 2>/dev/null && fail "what was taken came again"
has "$(spool trace "$id" --json | tail -n 1)" '*"type":"message.acked"*' "the last of its trace"
bounded examples/mailbox.sh send coder "nobody has named it yet"
has "$(PATH=$directory/bin examples/mailbox.sh take coder)" '*nobody has named it yet*' "what was only just dropped"
id=$(spool send coder "to be put back" --from user)
claim=$(spool receive coder --json | jq -r .claim)
spool nack "$claim"
has "$(PATH=$directory/bin examples/mailbox.sh take coder)" '*to be put back*' "what was put back"
has "$(ls "$SPOOL_DIR/bots/coder/done")" "*5-$id~2~*" "its second attempt"
claim=$(spool send coder "later" --from user >/dev/null && spool receive coder --json | jq -r .claim)
spool nack "$claim" --delay 1h
if bounded examples/mailbox.sh take coder; then fail "took from an empty inbox"; fi
# Somebody died while giving a dropped file its name: the log has it already, under the id that the file is called.
id=$(spool send counter "half adopted" --from user)
mv "$SPOOL_DIR/bots/counter/inbox/5-$id.json" "$SPOOL_DIR/bots/coder/inbox/$id.json"
has "$(PATH=$directory/bin examples/mailbox.sh take coder)" '*half adopted*' "what was half adopted"
has "$(ls "$SPOOL_DIR/bots/coder/done")" "*5-$id~1~*" "its id"
echo '{"content":"a draft"}' >"$SPOOL_DIR/bots/coder/inbox/5-notes~draft.json"
has "$(PATH=$directory/bin examples/mailbox.sh take coder)" '*a draft*' "a name that is much like a proper one"
if ls "$SPOOL_DIR/bots/coder/done" | grep notes; then fail "it was acked under no proper name"; fi
status=0
examples/mailbox.sh send coder 2>/dev/null || status=$?
equal "$status" 64 "the exit of mailbox.sh without a text"

begin "the bot in plain sh of spool-layout.md"
sed -n '/^A bot in plain `sh`/,/^## /p' spool-layout.md | sed '1,2d;/^```/,$d' >"$directory/bot.sh"
before=$(find "$SPOOL_DIR/bots" | sort)
bounded sh "$directory/bot.sh" || :
equal "$(find "$SPOOL_DIR/bots" | sort)" "$before" "what it left of an inbox where nothing waits for it"
spool send coder "to a few lines of sh" --from user >/dev/null
has "$(bounded sh "$directory/bot.sh")" '*"content":"to a few lines of sh"*' "what it took"
if spool receive coder 2>/dev/null; then fail "what it took came again"; fi

begin "summarise.py"
work editor --stream -- python3 examples/summarise.py
story="Rename is atomic. A message moves when a rename moves it, so a rename is the claim of a message. It rained."
for _ in 1 2; do
  equal "$(spool request editor "$story" --from user --wait 30s)" \
    "A message moves when a rename moves it, so a rename is the claim of a message." "the summary"
done
spool send editor " " --from user >/dev/null
for _ in $(seq 100); do
  if [ "$(spool dead editor --json 2>/dev/null | jq -r .reason)" = "there is no text to sum up" ]; then break; fi
  sleep 0.1
done
equal "$(spool dead editor --json | jq -r .reason)" "there is no text to sum up" "why a text of nothing was given up"

begin "llm.sh, with its stand-in and with a command"
work writer -- examples/llm.sh
work modelled -- examples/llm.sh tr a-z A-Z
has "$(spool request writer "write a haiku" --from user --wait 30s)" \
  "(no model was given) a prompt of * words, which ends: user: write a haiku" "the stand-in's answer"
conversation=c1
has "$(spool request modelled "one" --from user --conversation "$conversation" --context '{"k":1}' --wait 30s)" \
  *'CONTEXT: {"K":1}'*"USER: ONE" "the answer of a command"
has "$(spool request modelled "two" --from user --conversation "$conversation" --wait 30s)" \
  *"USER: ONE"*"MODELLED: "*"USER: TWO" "the answer, with what was said before"

begin "primes.py"
work counter --tasks --slots 2 -- python3 examples/primes.py
low=$(spool task add "the first half" --to counter --context '{"from": 1, "to": 20000}')
high=$(spool task add "the second half" --to counter --context '{"from": 20001, "to": 40000}')
sum=$(spool task add "all of them" --to counter --depends-on "$low,$high")
equal "$(spool task wait "$sum" --timeout 50s)" 4203 "how many primes there are up to 40000"
has "$(spool trace "$high" --json)" *'"type":"task.progressed"*' "its trace"
id=$(spool task add "without bounds" --to counter)
if spool task wait "$id" --timeout 50s 2>/dev/null; then fail "counted without bounds"; fi
equal "$(spool task show "$id" --json | jq -r '.state, .error, .attempt')" $'failed\nthere are no bounds\n1' "why it failed"

begin "three-bots.sh"
result=$(bounded examples/three-bots.sh "the squares of 2 to 4")
has "$result" *"tester -> coder: FAIL: got 4 6 8, wanted 4 9 16"* "the first try"
has "$result" *"result: PASS: 4 9 16"*"planner: square each of 2 to 4"* "the result"

begin "tasks.sh"
result=$(bounded examples/tasks.sh)
has "$result" *"in progress: 3-"*"~1~writer.json"*"completed: Nanospool"* "the task by hand"
has "$result" *'"verdict": "approved: a queue is a directory (22 bytes)"'* "the workflow's result"
has "$result" *"a reviewed slogan"*"completed  3 of 3"*"write a slogan"*"count its letters"*"review it"* "the tree"

begin "patterns.sh and specialist.py"
result=$(timeout --kill-after=5 120 examples/patterns.sh)
has "$result" *"latest in AI?"*'research of "What'*"security review"*"(quality-bot)"*"built on development"* "routing and sequence"
has "$result" *"fitness tracking"*"(design-bot)"*"Consensus: against (unanimous, 5 of 5)"*"skeptic: No"* "parallel and discussion"

begin "churn.sh and analyst.py"
result=$(timeout --kill-after=5 120 examples/churn.sh 2>&1)
has "$result" *'"ml":{"accuracy":0.'*'"reporting":"0.0 complaints #'*'"sql":[{"complaints":0.0'*'"with_leaving":{"months":-0.'* \
  "what the group found"
has "$result" *"chosen: ml-bot for ml"*"not chosen: generalist for ml, sql: price 3"* "why these"
has "$result" *"[task_announce]"*"[skill_offer]"*"[group_formed]"*"[task_complete]"*"completed  4 of 4"* "the story"

begin "incident.sh and responder.py"
result=$(timeout --kill-after=5 120 examples/incident.sh 2>&1)
has "$result" *"db-first left: no process of db-first is alive"*"[group_formed]"*"db-second: database"* "who took over"
has "$result" *"db-first had done: found the lock"*"reopened for writes"* "what was kept"

begin "pipeline.sh"
result=$(timeout --kill-after=5 120 examples/pipeline.sh)
has "$result" *'"load": ['*3,*35.33*"people into the database"*"completed  4 of 4"* "what was loaded"

begin "research.sh and research.py"
result=$(timeout --kill-after=5 120 examples/research.sh)
has "$result" *"Where are messages claimed"*" places in "*" files. Look at "*"after otto died"*"Look at "* "the answers"
has "$result" *"researcher  anna "*"anna 0."*"message of researcher"* "the mesh, and what anna's reputation is made of"

begin "smart-home.sh and device.py"
result=$(timeout --kill-after=5 120 examples/smart-home.sh)
has "$result" *"somebody is in the hall; hall-l"*" is on"*"somebody is in the kitchen; kitchen-light is on"* "the lights"
has "$result" *"21.5 is fine"*"16.5 is cold; told heater"*"somebody is in the hall; hall-lamp is on"* "the heater, and the other light"
has "$result" *"hall-motion "*" hall-lamp "*"mesh: "* "the mesh"

begin "nanospool.py"
id=$(PYTHONPATH=examples bounded python3 -c 'import nanospool, os
print(nanospool.Spool(os.environ["SPOOL_DIR"]).send("py", "hello", sender="user"))')
equal "$(spool receive py --wait 10s --ack 2>/dev/null)" hello "what Python dropped"
has "$(bounded python3 examples/nanospool.py "$SPOOL_DIR" trace "$id")" \
  *"message.sent $id "*"message.claimed $id "*"message.acked $id "* "its trace"

begin "the spool they leave"
has "$(spool doctor)" "*nothing to repair*" "the doctor"
echo "examples: all passed"
