#!/usr/bin/env python3
# Senders and receivers that die:  SPOOL=.build/release/spool python3 Tests/Soak/soak.py --seconds 600 [--seed S]
"""Starts senders, receivers, workers and repairers of one spool, kills them at random, stops them for longer than a
lease and lets them go on, for as long as it is asked to. Then all of the spool is received, and the histories that the
clients wrote are judged by check_history.py. The standard library is all it needs; it signals no process but its own."""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import check_history
from client import BOTS, COMMAND, HERE, History, now

LEASE = 1.0
# How many of each are running at a time. See ROLES in client.py.
CREW = {
    "sender": 2, "keyed-sender": 1, "python-sender": 1, "receiver": 3, "python-receiver": 2, "worker": 2, "doctor": 1,
}


class Process:
    """A client with all it has started: a session of its own, signalled as one."""

    def __init__(self, soak, role, number, life):
        self.soak, self.role, self.number, self.life = soak, role, number, life
        self.name = f"{role}-{number}-{life}"
        history = os.path.join(soak.histories, self.name)
        self.popen = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "client.py"), role, soak.spool, history, self.name, str(soak.seed)],
            start_new_session=True, stderr=open(os.path.join(soak.directory, f"{self.name}.err"), "ab"))
        self.continue_at = None

    def signal(self, number):
        try:
            os.killpg(self.popen.pid, number)
        except ProcessLookupError:
            pass

    def kill(self):
        self.soak.note("killing", client=self.name)
        self.signal(signal.SIGKILL)
        self.popen.wait()
        self.soak.note("killed", client=self.name)

    def stop(self, seconds):
        self.soak.note("stopped", client=self.name)
        self.signal(signal.SIGSTOP)
        self.continue_at = now() + seconds

    def go_on(self):
        self.signal(signal.SIGCONT)
        self.soak.note("continued", client=self.name)
        self.continue_at = None


class Soak:
    def __init__(self, seed, directory=None, crew=CREW):
        self.seed = seed
        self.directory = directory or tempfile.mkdtemp(prefix="nanospool-soak-")
        self.spool = os.path.join(self.directory, "spool")
        self.histories = os.path.join(self.directory, "histories")
        os.makedirs(self.histories)
        self.history = History(os.path.join(self.histories, "driver"), "driver")
        self.random = random.Random(seed)
        self.crew, self.processes, self.exits = crew, [], []
        self.make_spool()

    def note(self, op, client="driver", **members):
        self.history.client = client
        self.history(op, **members)

    def run(self, *arguments, spool=None, ok=(0,)):
        result = subprocess.run([COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=120,
                                env={**os.environ, "SPOOL_DIR": spool or self.spool})
        if result.returncode not in ok:
            raise SystemExit(f"soak: spool {' '.join(arguments)}: {result.returncode}: {result.stderr}{result.stdout}")
        return result

    def make_spool(self):
        subprocess.run([COMMAND, "init", self.spool], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        path = os.path.join(self.spool, "spool.json")
        with open(path) as file:
            settings = json.load(file)
        # Many leases, and many segments, in a short time; nothing is given up.
        settings.update(lease_seconds=LEASE, attempts_max=9999, segment_bytes_max=256 << 10)
        with open(path, "w") as file:
            json.dump(settings, file)
        for bot in BOTS:
            self.run("register", bot)

    def start(self):
        for role, count in self.crew.items():
            self.processes += [Process(self, role, number, 0) for number in range(count)]

    def disturb(self, seconds):
        """Kills and stops at random until the time is over."""
        end = now() + seconds
        while now() < end:
            time.sleep(self.random.uniform(0.01, 0.3))
            for index, process in enumerate(self.processes):
                if process.continue_at is not None and now() >= process.continue_at:
                    process.go_on()
                if process.popen.poll() is not None:
                    # It ended by itself, which none should.
                    self.exits.append(f"{process.name} ended with {process.popen.returncode}")
                    self.processes[index] = Process(self, process.role, process.number, process.life + 1)
            index = self.random.randrange(len(self.processes))
            victim = self.processes[index]
            if self.random.random() < 0.7:
                victim.kill()
                self.processes[index] = Process(self, victim.role, victim.number, victim.life + 1)
            elif victim.continue_at is None:
                victim.stop(self.random.uniform(0.2, 2.5) * LEASE)

    def end(self):
        """Kills what is left: whatever was in hand comes back."""
        for process in self.processes:
            process.kill()
        self.processes = []

    def drain(self):
        """Receives all that there is, waiting for leases to run out, until nothing is left anywhere."""
        note = History(os.path.join(self.histories, "drain"), "drain")
        for bot in BOTS:
            note("receiving", bot=bot)
            while True:
                began = now()
                got = self.run("receive", bot, "--wait", f"{3 * LEASE}s", "--ack", "--json", ok=(0, 1))
                if got.returncode == 1:
                    left = [name for box in ("inbox", "claimed", "tmp") for name in os.listdir(f"{self.spool}/bots/{bot}/{box}")
                            # What a Python client was about to drop when it was killed stays for an hour.
                            if box != "tmp" or "~" in name]
                    if not left:
                        break
                    continue
                got = json.loads(got.stdout)
                about = {"bot": bot, "id": got["message"]["id"], "attempt": got["attempt"]}
                note("received", **about, token=got["message"]["content"], began=began)
                note("acking", **about)
                note("acked", **about)
            for line in self.run("dead", bot, "--json", ok=(0, 1)).stdout.splitlines():
                about = json.loads(line)
                message = about.get("message", about)
                note("dead", bot=bot, id=message.get("id"), token=message.get("content"))
        note("over")

    def workers_said(self):
        """What workers said about the end of each message, as lines of a history."""
        lines = []
        for name in sorted(os.listdir(self.histories)):
            if not name.endswith(".events"):
                continue
            client = name[: -len(".events")]
            with open(os.path.join(self.histories, client)) as file:
                bot = json.loads(file.readline())["bot"]
            with open(os.path.join(self.histories, name), "rb") as file:
                events = [json.loads(line) for line in file if line.endswith(b"\n")]
            for event in events:
                if event["event"] in ("acked", "lost"):
                    lines.append({"t": now(), "client": client, "op": event["event"], "bot": bot, "id": event["id"],
                                  "attempt": event["attempt"]})
        return lines

    def verdict(self):
        paths = [os.path.join(self.histories, name) for name in os.listdir(self.histories)
                 if not name.endswith(".events")]
        lines = check_history.read_histories(paths) + self.workers_said()
        faults, counts = check_history.judge(lines, LEASE)
        faults += [check_history.Fault("trouble", line["client"], line.get("why", "")) for line in lines
                   if line["op"] in ("trouble", "refused", "unknown")]
        faults += [check_history.Fault("trouble", "a client", what) for what in self.exits]
        doctor = self.run("doctor", ok=(0, 1))
        if doctor.returncode != 0:
            # What dead processes left is no fault; the second look must find nothing.
            self.run("doctor", "--repair")
            doctor = self.run("doctor", ok=(0, 1))
        if doctor.returncode != 0:
            faults.append(check_history.Fault("unhealed", "doctor", doctor.stdout))
        return faults, counts

    def finish(self, keep):
        if keep:
            print(f"soak: kept in {self.directory}")
        else:
            shutil.rmtree(self.directory)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    print(f"soak: {arguments.seconds:g} s, seed {arguments.seed}", flush=True)
    # Ended from outside, it still ends all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    soak = Soak(arguments.seed)
    faults = ["it didn't come to its end"]
    try:
        soak.start()
        soak.disturb(arguments.seconds)
        soak.end()
        soak.drain()
        faults, counts = soak.verdict()
        print("soak: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
        for fault in faults[:50]:
            print(f"soak: {fault}")
        # A soak in which nothing happened shows nothing.
        if counts["acked"] < arguments.seconds or counts["killed"] < arguments.seconds / 2:
            faults.append("too little happened")
            print("soak: too little happened")
    finally:
        soak.end()
        soak.finish(keep=bool(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
