#!/bin/sh
# Extract, clean, validate, load, each after the one before:  sh examples/pipeline.sh
# A workflow of four steps with depends_on; each gets the result of the step before it.
set -eu
SPOOL=${SPOOL:-spool}
command -v "$SPOOL" >/dev/null || { echo "pipeline.sh: needs spool on the PATH, or SPOOL=its path" >&2; exit 69; }
directory=$(mktemp -d)
export SPOOL_DIR="$directory/pipeline"
pids=
trap 'kill $pids 2>/dev/null || :; wait; rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM

cat >"$directory/step.py" <<'PY'
import json, os, sqlite3, sys
task = json.load(sys.stdin)
given = next((step["result"] for step in task["dependencies"].values()), None)
if task["step"] == "extract":
    rows = ["ada, 36", " bea,41", "cyn,", "dan,x", "eve, 29", "ada, 36"]
elif task["step"] == "clean":
    rows = sorted({tuple(part.strip() for part in row.split(",")) for row in given})
elif task["step"] == "validate":
    rows = [[name, int(age)] for name, age in given if age.isdigit()]
    if len(rows) < 3:
        sys.exit("too few rows are valid")
else:
    base = sqlite3.connect(os.path.join(os.path.dirname(os.environ["SPOOL_DIR"]), "people.db"))
    base.execute("create table people (name, age)")
    base.executemany("insert into people values (?, ?)", given)
    base.commit()
    rows = base.execute("select count(*), avg(age) from people").fetchone()
print(json.dumps({"result": rows}))
PY
cat >"$directory/pipeline.json" <<'FILE'
{"title": "people into the database", "steps": [
  {"name": "extract", "title": "read what came in", "domain": "etl"},
  {"name": "clean", "title": "trim, and each once", "domain": "etl", "depends_on": ["extract"]},
  {"name": "validate", "title": "only those with an age", "domain": "etl", "depends_on": ["clean"]},
  {"name": "load", "title": "into the database", "domain": "etl", "depends_on": ["validate"]}
]}
FILE
"$SPOOL" init "$SPOOL_DIR" 2>/dev/null
for bot in first second; do
  "$SPOOL" register "etl-$bot" --domain etl
  "$SPOOL" work "etl-$bot" --tasks -- python3 "$directory/step.py" & pids="$pids $!"
done
"$SPOOL" coordinate & pids="$pids $!"
"$SPOOL" workflow wait "$("$SPOOL" workflow submit "$directory/pipeline.json")" --timeout 50s
"$SPOOL" task tree --all
