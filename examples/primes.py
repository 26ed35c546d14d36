#!/usr/bin/env python3
# A bot that does tasks, and tells how far it is:  spool work counter --tasks --slots 2 -- python3 examples/primes.py
"""Counts primes: spool task add "the first half" --to counter --context '{"from": 1, "to": 50000}'. A task that depends on
others gets their results, and adds them up.

`spool work --tasks` starts it for each task: the task on standard input, its result on standard output, progress in lines
on descriptor 3. It ends with 0 when it is done, 65 when trying again is of no use, anything else to be tried again."""
import json
import os
import sys


def progress(percent, text):
    with open(os.environ["SPOOL_PROGRESS"], "a") as file:  # or descriptor 3, which is the same
        file.write(f"{percent} {text}\n")


def is_prime(number):
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def count(first, last):
    found = 0
    for number in range(first, last + 1):
        found += is_prime(number)
        if number % 1000 == 0:  # however often it is told, a few times a second are kept
            progress(100 * (number - first) // (last - first + 1), f"{found} up to {number}")
    return found


task = json.load(sys.stdin)
parts = task["dependencies"].values()
bounds = task.get("context") or {}
if parts:
    answer = {"result": sum(part["result"] for part in parts), "confidence": 1}
elif isinstance(bounds.get("from"), int) and isinstance(bounds.get("to"), int):
    answer = {"result": count(bounds["from"], bounds["to"]), "confidence": 1}
else:
    answer = {"error": "there are no bounds", "recovery_suggestion": 'give it --context \'{"from": 1, "to": 100}\''}
print(json.dumps(answer))
sys.exit(65 if "error" in answer else 0)
