#!/usr/bin/env python3
# A researcher or an analyst, as its card says:  spool work researcher -- python3 examples/research.py
"""The researcher counts the words of a question in the files beside it, asks whoever is best at analysis what to make of the
counts (any:analysis), and answers with both. The analyst takes counts and says where to look first, in the manner that its
card's personality asks for. Stands in for programs that can do more."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def ask(address, text, data):
    """Asks a bot, or whoever is best, and waits for the answer."""
    done = subprocess.run(
        [os.environ.get("SPOOL", "spool"), "request", address, text, "--data", json.dumps(data),
         "--from", os.environ["SPOOL_BOT"], "--wait", "20s"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        sys.exit(75)  # once more, later
    return done.stdout.strip()


def research(message):
    words = {word for word in re.findall(r"[a-z]{4,}", message["content"].lower())}
    counts = {}
    for name in sorted(os.listdir(HERE)):
        if name.endswith((".sh", ".py", ".md")):
            with open(os.path.join(HERE, name)) as file:
                found = re.findall(r"[a-z]{4,}", file.read().lower())
            counts[name] = sum(found.count(word) for word in words)
    advice = ask("any:analysis/skill=statistics>=intermediate", "what do these counts say?", counts)
    return f"{sum(counts.values())} places in {len(counts)} files. {advice}"


def analyse(message):
    counts = message["data"]
    best = max(sorted(counts), key=counts.get)
    share = 100 * counts[best] / max(1, sum(counts.values()))
    text = f"Look at {best}: {share:.0f}% of all."
    return text if "terse" in os.environ["SPOOL_PERSONALITY"] else f"If I may say so: {text}"


with open(os.environ["SPOOL_CARD"]) as file:
    domain = json.load(file)["domain"]
message = json.load(sys.stdin)
print(research(message) if domain == "research" else analyse(message))
