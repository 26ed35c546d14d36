#!/usr/bin/env python3
# A member of a group that responds to an incident:  spool work net --negotiate -- python3 examples/responder.py
"""Goes through the steps of its skill, telling its progress. The first that works on the database kills its own worker in the
middle, as a machine that fails would; who comes after it finds in `partial` how far that was."""
import json
import os
import signal
import sys
import time

STEPS = {
    "network": ["checked the load balancer", "rerouted around rack 4"],
    "database": ["found the lock", "ended the query that held it", "checked the replicas", "reopened for writes"],
    "communication": ["told support", "put up a notice"],
}

part = json.load(sys.stdin)
skill = part["required_skills"][0].split(":")[0]
steps = STEPS[skill]
before = (part["context"].get("partial") or [{}])[-1]
done = before.get("progress", 0) * len(steps) // 100
log = [f"{before['bot']} had done: {step}" for step in steps[:done]]
for number in range(done, len(steps)):
    time.sleep(0.2)
    log.append(steps[number])
    with open(os.environ["SPOOL_PROGRESS"], "a") as file:
        file.write(f"{100 * (number + 1) // len(steps)} {steps[number]}\n")
    if skill == "database" and not before and number == 1:
        time.sleep(0.6)
        os.kill(os.getppid(), signal.SIGKILL)
        sys.exit(1)
print(json.dumps({"result": log}))
