#!/usr/bin/env python3
# A bot of one field that does tasks:  spool work designer --tasks -- python3 examples/specialist.py
"""Reads the task that it is given, looks the words of the request up in the texts beside it, builds on the results of the
steps before, and prints its result as JSON. Stands in for a language model or any other program that can do more."""
import collections
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def words(text):
    return {word for word in re.findall(r"[a-z]{4,}", text.lower())}


def progress(percent, text):
    """A line to the file that the worker reads."""
    with open(os.environ["SPOOL_PROGRESS"], "a") as file:
        file.write(f"{percent} {text}\n")


task = json.load(sys.stdin)
request = (task.get("context") or {}).get("request") or task.get("description") or task["title"]
if "position" in (task.get("description") or ""):
    # A question to the team.
    print(json.dumps({"result": {"position": "no", "why": "three bots need no microservices"}}))
    sys.exit()

progress(10, "reading")
found = collections.Counter()
for name in sorted(os.listdir(HERE)):
    if name.endswith((".sh", ".py", ".md")):
        with open(os.path.join(HERE, name)) as file:
            found[name] = len(words(request) & words(file.read()))
progress(80, "writing")
best = [name for name, count in found.most_common(2) if count]
built_on = sorted(task.get("dependencies") or {})
print(json.dumps({
    "result": f"{task.get('domain') or 'general'} of \"{request}\""
              + (f", built on {', '.join(built_on)}" if built_on else "")
              + (f"; see {', '.join(best)}" if best else ""),
    "confidence": 0.8,
    "learnings": [f"{best[0]} is a good place to begin"] if best else [],
}))
