#!/usr/bin/env python3
# A device of a smart home, as its card says:  spool work hall-motion -- python3 examples/device.py
"""A motion sensor has the light of its room switched on by whoever is a light there (any:light/skill=ROOM), a thermometer tells
those whom it concerns most when it gets cold (--attention), and a light does as it is told."""
import json
import os
import subprocess
import sys


def spool(*arguments):
    done = subprocess.run([os.environ.get("SPOOL", "spool"), *arguments, "--from", os.environ["SPOOL_BOT"]],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        sys.exit(75)  # once more, later
    return done.stdout.strip(), done.stderr.strip()


with open(os.environ["SPOOL_CARD"]) as file:
    card = json.load(file)
message = json.load(sys.stdin)
data = message.get("data") or {}
if card["domain"] == "motion":
    room = card["skills"][0]["name"]
    answer, _ = spool("request", f"any:light/skill={room}", "on", "--wait", "20s", "--explore", "0")
    print(f"somebody is in the {room}; {answer}")
elif card["domain"] == "temperature":
    degrees = data["degrees"]
    if degrees < 18:
        _, heard = spool("send", "team", f"heating: it is {degrees} degrees", "--attention", "1")
        print(f"{degrees} is cold; told {heard.split(';')[0].removeprefix('to ')}")
    else:
        print(f"{degrees} is fine")
elif card["domain"] == "light":
    print(f"{card['name']} is {message['content']}")
else:
    print(f"{card['name']} heard: {message['content']}")
