#!/usr/bin/env python3
# Breaks the code in one way at a time:  python3 Tests/Mutants/run.py [--only WORD] [--work DIR] | --check
"""Shows that the tests notice each of the ways to break the program that mutants.py names.

All mutants are built into one copy of the tree, asleep, and woken one at a time by an environment variable, so that there
is one build and not one for each. First the tests run with all of them asleep, and must pass; then each must make at
least one of its tests fail, or hang. --check only sees whether each still has its place in the sources."""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from mutants import ALL

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VARIABLE = "NANOSPOOL_MUTANT"
SECONDS_MAX = 400  # a test run that takes longer hangs, and so has noticed
SWITCH = f"""import Glibc

/// Whether this mutant is awake.
let awakeMutant = getenv("{VARIABLE}").map {{ String(cString: $0) }}
func isAwake(_ name: String) -> Bool {{ awakeMutant != nil && awakeMutant == name }}
"""


def read(path):
    with open(path) as file:
        return file.read()


def check():
    """What is wrong with the mutants: places that are gone or not the only ones, names that are used twice."""
    wrong = [f"{name!r} is used twice" for name in {m.name for m in ALL if sum(n.name == m.name for n in ALL) > 1}]
    for mutant in ALL:
        for edit in mutant.edits:
            count = read(os.path.join(ROOT, edit.file)).count(edit.old)
            if count != 1:
                wrong.append(f"{mutant.name!r}: its place stands {count} times in {edit.file}: {edit.old[:80]!r}")
            if len(mutant.edits) == 1 and "MUTANT" not in edit.new:
                wrong.append(f"{mutant.name!r} changes nothing")
    return wrong


def build_in(text, file, mutants):
    """The file with all its mutants in it, and the names of those whose place was taken by one before."""
    late = set()
    for mutant in mutants:
        for edit in mutant.edits:
            if edit.file != file:
                continue
            new = edit.new.replace("MUTANT", f'isAwake("{mutant.name}")')
            if text.count(edit.old) != 1:
                late.add(mutant.name)
                continue
            text = text.replace(edit.old, new)
    return text, late


def make_tree(work, mutants):
    """A copy of what git knows, as it stands in the work tree, with the mutants in it. Files that are the same are left
    alone, so that a second build is short. Returns those that found their places taken by another."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, text=True,
                            stdout=subprocess.PIPE).stdout.splitlines()
    edited = {edit.file for mutant in mutants for edit in mutant.edits}
    wanted, crowded = {}, set()
    for name in listed:
        path = os.path.join(ROOT, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            content = file.read()
        if name in edited:
            text, late = build_in(content.decode(), name, [m for m in mutants if m.name not in crowded])
            crowded |= late
            content = text.encode()
        wanted[name] = content
    for module in {name.split("/")[1] for name in edited}:
        wanted[f"Sources/{module}/Mutants.swift"] = SWITCH.encode()
    for name, content in wanted.items():
        path = os.path.join(work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.exists(path) or open(path, "rb").read() != content:
            with open(path, "wb") as file:
                file.write(content)
            shutil.copymode(os.path.join(ROOT, name), path) if name in listed else None
    for top in ["Sources", "Tests"]:
        for parent, _, names in os.walk(os.path.join(work, top)):
            for name in names:
                path = os.path.join(parent, name)
                if os.path.relpath(path, work) not in wanted and "__pycache__" not in path:
                    os.unlink(path)
    return crowded


def end_strays(work):
    """The tests run in a session of their own; what hangs there would stay."""
    inside = os.path.realpath(work) + "/.build/"
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/exe").startswith(inside):
                os.kill(int(name), signal.SIGKILL)
        except OSError:
            pass


def swift(work, *arguments, mutant=None, scenario=None, seconds=SECONDS_MAX):
    """Status, or None when it took too long, and what it said. Ends all that it started."""
    environment = dict(os.environ)
    environment.pop(VARIABLE, None)
    if mutant:
        environment[VARIABLE] = mutant
    if scenario:
        environment["SPOOL_SCENARIO"] = scenario
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(["swift", *arguments], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            process.wait(seconds)
            status = process.returncode
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            end_strays(work)
        output.seek(0)
        return status, output.read()


def test(work, mutant=None, tests=None, scenario=None, seconds=SECONDS_MAX):
    # This one looks at the sources, and would find the mutants themselves.
    return swift(work, "test", "--skip-build", "--filter", tests, "--skip", "LayersTests", mutant=mutant,
                 scenario=scenario, seconds=seconds)


def count_of(output):
    return sum(int(count) for count in re.findall(r"Test run with (\d+) tests? ", output))


def failures(output):
    return "\n".join(line for line in output.splitlines() if "✘" in line) or output[-4000:]


def first_failure(output):
    found = re.search(r'✘ Test "?(.*?)"?(?: with .*)? (?:recorded|failed)', output)
    return found.group(1) if found else "it crashed"


def run(work, only):
    mutants = [m for m in ALL if re.search(only, m.name)]
    rounds = 0
    missed, made = [], 0
    while mutants:
        crowded = make_tree(work, mutants)
        rounds += 1
        here = [m for m in mutants if m.name not in crowded]
        print(f"build {rounds}, with {len(here)} mutants asleep", flush=True)
        status, output = swift(work, "build", "--build-tests", seconds=1800)
        if status != 0:
            sys.exit(output[-8000:])
        filters = "|".join(sorted({part for m in here for part in m.tests.split("|")}))
        status, output = test(work, tests=filters, seconds=1800)
        if status != 0:
            sys.exit(f"with all mutants asleep the tests fail:\n{failures(output)}")
        print(f"all asleep: {count_of(output)} tests pass", flush=True)
        for mutant in here:
            began = time.monotonic()
            status, output = test(work, mutant.name, mutant.tests, mutant.scenario)
            took = time.monotonic() - began
            made += 1
            if status == 0:
                missed.append(mutant)
                verdict = f"NOT NOTICED by {count_of(output)} tests"
            else:
                verdict = "noticed: " + ("it hangs" if status is None else first_failure(output))
            print(f"{mutant.name} | {mutant.promise} | {verdict} | {took:.0f} s", flush=True)
        mutants = [m for m in mutants if m.name in crowded]
    print(f"{made} made, {made - len(missed)} noticed")
    return 1 if missed or not made else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", default="", help="those whose names match this expression")
    parser.add_argument("--work", help="a directory for the copy, kept for the next time")
    arguments = parser.parse_args()
    wrong = check()
    for problem in wrong:
        print(problem)
    if wrong or arguments.check:
        print(f"mutants: {len(ALL)}, {len(wrong)} without their place")
        return 1 if wrong else 0
    # Ended from outside, it still ends the tests that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work = arguments.work or tempfile.mkdtemp(prefix="nanospool-mutants-")
    try:
        return run(work, arguments.only)
    finally:
        if not arguments.work:
            shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
