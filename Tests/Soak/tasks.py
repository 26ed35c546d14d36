#!/usr/bin/env python3
# Tasks whose workers and coordinators die:  SPOOL=.build/release/spool python3 Tests/Soak/tasks.py --seconds 60 [--seed S]
"""Twenty workers and two coordinators over one spool, all killed, stopped for longer than a lease and let go on at random,
while tasks are added (alone, in chains, with a parent that joins them) and somebody moves files by hand. Then everybody is
left in peace until nothing lives any more, and the tree and the log are judged, without any of the program's own code:
every task that was acknowledged has ended, in one place, each was completed once by the log, and no attempt that was
replaced had its result accepted. The standard library is all it needs; it signals no process but its own."""
import argparse
import collections
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SPOOL = os.path.realpath(os.environ.get("SPOOL") or shutil.which("spool") or "spool")
STATES = ["pending", "assigned", "in_progress", "blocked", "completed", "failed", "cancelled"]
FINAL = {"completed", "failed", "cancelled"}
LEASE = 1.0
BOTS = 10
# Sleeps for up to a tenth of a second, fails now and then, and says which attempt it was.
PROGRAM = (
    "import json,os,random,sys,time\n"
    "task=json.load(sys.stdin)\n"
    "time.sleep(random.random()*0.1)\n"
    "if random.random()<0.1: sys.exit(1)\n"
    "print(json.dumps({'result':{'attempt':task['attempt'],'bot':os.environ['SPOOL_BOT']}}))\n")


class Crew:
    def __init__(self, spool, directory):
        self.spool, self.directory = spool, directory
        self.roles = [("coordinate", n) for n in range(2)] + [("work", n) for n in range(20)]
        self.running = {}
        self.stopped = {}

    def start(self, role):
        kind, number = role
        command = [SPOOL, "coordinate"]
        if kind == "work":
            command = [SPOOL, "work", f"bot{number % BOTS}", "--tasks", "--", sys.executable, "-c", PROGRAM]
        with open(os.path.join(self.directory, f"{kind}{number}.err"), "ab") as errors:
            self.running[role] = subprocess.Popen(
                command, env=dict(os.environ, SPOOL_DIR=self.spool), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)

    def signal(self, role, number):
        try:
            os.killpg(self.running[role].pid, number)
        except ProcessLookupError:
            pass

    def kill(self, role):
        self.signal(role, signal.SIGKILL)
        self.running.pop(role).wait()
        self.stopped.pop(role, None)

    def tend(self):
        """Lets those go on whose time has come, and starts again those that have ended."""
        now = time.monotonic()
        for role, until in list(self.stopped.items()):
            if now >= until:
                self.signal(role, signal.SIGCONT)
                del self.stopped[role]
        for role in self.roles:
            if role in self.running and self.running[role].poll() is not None:
                self.running.pop(role)
                self.stopped.pop(role, None)
            if role not in self.running:
                self.start(role)

    def end(self):
        for role in list(self.running):
            self.signal(role, signal.SIGCONT)
            self.signal(role, signal.SIGTERM)
        deadline = time.monotonic() + 20
        for role, process in list(self.running.items()):
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.kill(role)


def run(spool, *arguments):
    done = subprocess.run([SPOOL, *arguments], env=dict(os.environ, SPOOL_DIR=spool), capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def identifier(name):
    return name[2:].split("~")[0].removesuffix(".json")


def places(spool):
    """Where each task's files lie: id -> [state/name]."""
    found = collections.defaultdict(list)
    for state in STATES:
        for name in os.listdir(os.path.join(spool, "tasks", state)):
            found[identifier(name)].append(f"{state}/{name}")
    return found


class Chaos:
    def __init__(self, spool, crew, rng):
        self.spool, self.crew, self.random = spool, crew, rng
        self.acknowledged = []
        self.counts = collections.Counter()

    def add(self):
        kind = self.random.choice(["alone", "alone", "chain", "joined"])
        if kind == "alone":
            self.send("alone", "--max-attempts", "20")
        elif kind == "chain":
            first = self.send("first", "--max-attempts", "20")
            if first:
                self.send("second", "--max-attempts", "20", "--depends-on", first, "--on-dependency-failure", "cancel")
        else:
            parent = self.send("parent", "--join")
            for _ in range(3):
                if parent:
                    self.send("child", "--max-attempts", "20", "--parent", parent)

    def send(self, *arguments):
        status, out, err = run(self.spool, "task", "add", *arguments)
        if status == 75:
            # Somebody was stopped with the log's lock in hand: a clear no.
            self.counts["refused for now"] += 1
            return None
        if status != 0:
            raise SystemExit(f"task add {arguments} ended with {status}: {err}")
        self.acknowledged.append(out)
        self.counts["added"] += 1
        return out

    def disturb(self):
        role = self.random.choice([r for r in self.crew.running if r not in self.crew.stopped] or [None])
        if role is None:
            return
        if self.random.random() < 0.75:
            self.crew.kill(role)
            self.counts[f"killed {role[0]}"] += 1
        else:
            self.crew.signal(role, signal.SIGSTOP)
            self.crew.stopped[role] = time.monotonic() + LEASE * (1 + self.random.random())
            self.counts[f"stopped {role[0]}"] += 1

    def move(self):
        """What a person may do with mv."""
        old, new = self.random.choice([("pending", "cancelled"), ("assigned", "pending"), ("failed", "pending"),
                                       ("in_progress", "pending"), ("completed", "pending"), ("cancelled", "pending")])
        names = os.listdir(os.path.join(self.spool, "tasks", old))
        if (old, new) == ("pending", "cancelled"):
            # One that was begun may be a completed one that was moved here: to cancel that is no move that counts.
            names = [name for name in names if "~" not in name]
        if not names:
            return
        name = self.random.choice(names)
        try:
            # Nor is one that was joined, which has no attempt in its name.
            with open(os.path.join(self.spool, "tasks", old, name), "rb") as file:
                if new == "cancelled" and b'"completed_at"' in file.read():
                    return
            os.rename(os.path.join(self.spool, "tasks", old, name), os.path.join(self.spool, "tasks", new, name))
            self.counts[f"moved {old} to {new}"] += 1
        except FileNotFoundError:
            pass


def events(spool):
    for segment in sorted(glob.glob(os.path.join(spool, "log", "*", "*.jsonl"))):
        with open(segment, "rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and b'"type":"task.' in line:
                    yield json.loads(line)


def judge(spool, acknowledged):
    problems = []
    found = places(spool)
    for task in acknowledged:
        where = found.get(task, [])
        if len(where) != 1:
            problems.append(f"{task} is in {len(where)} places: {where}")
        elif where[0].split("/")[0] not in FINAL:
            problems.append(f"{task} never ended: {where[0]}")
    if os.listdir(os.path.join(spool, "tasks", "tmp")):
        problems.append("tasks/tmp isn't empty")
    left = glob.glob(os.path.join(spool, "tasks", "moving", "*", "*"))
    if left:
        problems.append(f"still on the move: {left}")
    completed = collections.defaultdict(list)
    begun = collections.defaultdict(int)
    for event in events(spool):
        task, data = event["subject"], event["data"]
        if event["type"] == "task.started":
            begun[task] = max(begun[task], data["attempt"])
        elif event["type"] == "task.completed":
            completed[task].append(data["attempt"])
            if data["attempt"] < begun[task]:
                problems.append(f"{task}: attempt {data['attempt']} was accepted after attempt {begun[task]} began")
            result = data["task"].get("result")
            if isinstance(result, dict) and "attempt" in result and result["attempt"] != data["attempt"]:
                problems.append(f"{task}: the result of attempt {result['attempt']} was taken for {data['attempt']}")
    for task, attempts in completed.items():
        if len(attempts) > 1:
            problems.append(f"{task} was completed {len(attempts)} times: attempts {attempts}")
        if found.get(task, ["?"])[0].split("/")[0] != "completed":
            problems.append(f"{task} was completed by the log, and is {found.get(task)}")
    for task in acknowledged:
        if found.get(task, ["?"])[0].startswith("completed/") and task not in completed:
            problems.append(f"{task} is completed, and the log doesn't say so")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="leave the spool where it is")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    directory = tempfile.mkdtemp(prefix="nanospool-tasks-")
    spool = os.path.join(directory, "spool")
    run(spool, "init", spool, "--lease", f"{LEASE}s", "--durability", "relaxed")
    for number in range(BOTS):
        run(spool, "register", f"bot{number}", "--capacity", "2")
    crew = Crew(spool, directory)
    chaos = Chaos(spool, crew, rng)
    problems = ["it was interrupted"]
    try:
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            crew.tend()
            chaos.add()
            if rng.random() < 0.5:
                chaos.disturb()
            if rng.random() < 0.3:
                chaos.move()
            time.sleep(rng.random() * 0.1)
        # Left in peace, everything comes to its end.
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            crew.tend()
            alive = [p for where in places(spool).values() for p in where if p.split("/")[0] not in FINAL]
            if not alive and not glob.glob(os.path.join(spool, "tasks", "moving", "*", "*")):
                break
            time.sleep(0.2)
        # A hand that moved something at the end is answered for within a second or so.
        time.sleep(3)
        problems = judge(spool, chaos.acknowledged)
    finally:
        crew.end()
        if not problems and not options.keep:
            shutil.rmtree(directory)
        else:
            print(f"kept: {directory}")
    for problem in problems[:40]:
        print(problem)
    print(json.dumps(dict(sorted(chaos.counts.items()))))
    print(f"{len(chaos.acknowledged)} tasks, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
