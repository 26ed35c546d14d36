#!/usr/bin/env python3
# Copies of a spool in use:  SPOOL=.build/release/spool python3 Tests/Soak/copies.py --copies 50 [--seed S]
"""While senders and receivers use a spool, it is copied with cp -a, rsync -a and tar in turn. Each copy is opened as
another spool would be: the doctor looks at it, and all that is in it is received. Each message that was acknowledged
before the copy began must come, unless somebody had begun to ack it before the copy ended; and nothing comes that was
never sent, or that was acked with yes before the copy began."""
import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import check_history
from client import BOTS, now
from soak import LEASE, Soak

CREW = {"sender": 2, "python-sender": 1, "receiver": 2, "python-receiver": 1}

# How a spool is copied; what else than 0 such a program may say about files that came and went meanwhile.
COPIERS = {
    "cp": (["cp", "-a", "{spool}", "{copy}"], (0, 1)),
    "rsync": (["rsync", "-a", "{spool}/", "{copy}/"], (0, 23, 24)),
    "tar": (["sh", "-c", 'mkdir "$2" && tar -C "$1" -cf - . | tar -C "$2" -xf -', "sh", "{spool}", "{copy}"], (0, 1, 2)),
}


def history(soak):
    return check_history.read_histories(
        [os.path.join(soak.histories, name) for name in os.listdir(soak.histories)])


def receive_all(soak, copy):
    """The tokens that come out of a copy, by bot, with how often."""
    received = collections.Counter()
    for bot in BOTS:
        result = soak.run("work", bot, "--until-empty", "--slots", "4", "--json", "--no-reply", "--", "true", spool=copy)
        for event in map(json.loads, result.stdout.splitlines()):
            if event["event"] == "acked":
                received[bot, event["id"]] += 1
        # What was in hand when it was copied comes when its lease has run out.
        while any(os.listdir(os.path.join(copy, "bots", bot, box)) for box in ("inbox", "claimed")):
            got = soak.run("receive", bot, "--wait", f"{3 * LEASE}s", "--ack", "--json", spool=copy, ok=(0, 1))
            if got.returncode == 1:
                break
            received[bot, json.loads(got.stdout)["message"]["id"]] += 1
    return received


def judge(soak, copy, began, ended):
    """What is wrong with a copy, and how many messages were looked for."""
    doctor = soak.run("doctor", spool=copy, ok=(0, 1))
    received = receive_all(soak, copy)
    wrong, looked_for = [], 0
    sends, sent, acking, acked = {}, {}, set(), {}
    for line in history(soak):
        if line["op"] == "send":
            sends[line["token"]] = line
        elif line["op"] == "sent":
            sent[line["id"]] = line
        elif line["op"] == "acking" and line["t"] <= ended:
            acking.add((line["bot"], line["id"]))
        elif line["op"] == "acked" and line["client"].startswith("receiver"):
            # The command's: in the log. One by rename stays in done/ until somebody logs it, and a copier that has passed
            # the log by then finds neither: that message may come again.
            acked[line["bot"], line["id"]] = line["t"]
    for id, line in sent.items():
        if line["t"] >= began:
            continue
        for bot in sends[line["token"]]["to"]:
            if (bot, id) in acking:
                continue
            looked_for += 1
            if (bot, id) not in received:
                wrong.append(f"{id} to {bot}, acknowledged {began - line['t']:.3f} s before the copy began, is missing")
    for (bot, id), count in received.items():
        if count > 1:
            wrong.append(f"{id} came {count} times to {bot}")
        if acked.get((bot, id), began) < began:
            wrong.append(f"{id} came to {bot}, which had acked it before the copy began")
    if not os.path.isdir(os.path.join(copy, "log")):
        wrong.append(f"no log: {doctor.stdout}")
    again = soak.run("doctor", "--repair", spool=copy) and soak.run("doctor", spool=copy, ok=(0, 1))
    if again.returncode != 0:
        wrong.append(f"not healed: {again.stdout}")
    return wrong, looked_for


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--copies", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"copies: {arguments.copies}, seed {arguments.seed}", flush=True)
    os.environ["SOAK_BACKLOG"] = "40"
    copiers = {name: how for name, how in COPIERS.items() if shutil.which(name)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    soak = Soak(arguments.seed, crew=CREW)
    failures, looked_for, made = 0, 0, collections.Counter()
    try:
        soak.start()
        time.sleep(2)
        for number in range(arguments.copies):
            time.sleep(soak.random.uniform(0, 0.5))
            name = list(copiers)[number % len(copiers)]
            command, statuses = copiers[name]
            copy = os.path.join(soak.directory, f"copy-{number}")
            began = now()
            result = subprocess.run([part.format(spool=soak.spool, copy=copy) for part in command],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            ended = now()
            if result.returncode not in statuses:
                raise SystemExit(f"copies: {name}: {result.returncode}: {result.stderr}")
            made[name] += 1
            wrong, count = judge(soak, copy, began, ended)
            looked_for += count
            for what in wrong[:10]:
                print(f"copies: {number}, by {name}: {what}", flush=True)
            failures += len(wrong)
            if not wrong:
                shutil.rmtree(copy)
        soak.end()
        counts = ", ".join(f"{count} by {name}" for name, count in made.items())
        print(f"copies: {counts}; {looked_for} messages looked for in them, {failures} wrong")
        if looked_for < arguments.copies:
            failures += 1
            print("copies: too little was in them")
    finally:
        soak.end()
        soak.finish(keep=bool(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
