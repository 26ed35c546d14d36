"""Clients on both hosts at once, some of which die, judged by what they saw: those of Tests/Soak, on two hosts."""
import json
import os
import subprocess
import sys
import time

from lab import HERE, SHARED, SPOOL, now

SOAK = os.path.join(HERE, "../Soak")
sys.path.insert(0, SOAK)
os.environ["SOAK_BACKLOG"] = "30"
import check_history  # noqa: E402
from client import BOTS, History  # noqa: E402


# As handle.sh, but that it gives nothing back.
DONE = r"""
read -r line
token=${line##*\"content\":\"}
token=${token%%\"*}
for op in received acking; do
  read -r t rest </proc/uptime
  printf '{"t":%s,"client":"%s","op":"%s","bot":"%s","id":"%s","attempt":%s,"token":"%s","began":%s,"after":%s}\n' \
    "$t" "$SOAK_CLIENT" $op "$SPOOL_BOT" "$SPOOL_ID" "$SPOOL_ATTEMPT" "$token" "$t" "$((${t%.*} - 2))" >>"$SOAK_HISTORY"
done
"""


class Crew:
    def __init__(self, hosts, lease, seed=1):
        self.hosts, self.lease, self.seed = hosts, lease, seed
        self.directory = f"/mnt/t/histories.{time.monotonic_ns()}"
        os.makedirs(self.directory)
        self.note = History(os.path.join(self.directory, "driver"), "driver")
        self.clients, self.count = {}, 0

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, host, role):
        self.count += 1
        name = f"{role}-{host.letter}-{self.count}"
        self.clients[name] = (host, host.start(
            sys.executable, os.path.join(SOAK, "client.py"), role, f"{SHARED}/spool", self.path(name), name,
            str(self.seed), stdout=subprocess.DEVNULL, stderr=open(f"{self.path(name)}.err", "ab")))

    def tell(self, op, name):
        self.note.client = name
        self.note(op)

    def kill_host(self, host):
        """Every client on it dies at once."""
        names = [name for name, (where, _) in self.clients.items() if where is host]
        for name in names:
            self.tell("killing", name)
        host.kill()
        for name in names:
            self.clients.pop(name)
            self.tell("killed", name)

    def stop(self):
        for host in self.hosts:
            names = [name for name, (where, _) in self.clients.items() if where is host]
            for name in names:
                self.tell("killing", name)
            host.kill_processes()
            for name in names:
                self.clients.pop(name)[1].wait(20)
                self.tell("killed", name)

    def drain(self, host):
        """Receives all that is left, waiting for leases to run out, with one worker for each bot."""
        end = now() + 60
        running = {}
        for bot in BOTS:
            name = f"drain-{bot}"
            note = History(self.path(name), name)
            note("receiving", bot=bot)
            running[bot] = host.start(
                SPOOL, "work", bot, "--slots", "2", "--json", "--", "/bin/sh", "-c", DONE,
                env={"SOAK_HISTORY": self.path(name), "SOAK_CLIENT": name},
                stdout=open(self.path(f"{name}.events"), "ab"))
        from lab import SERVED
        while True:
            left = [f"{bot}/{box}/{name}" for bot in BOTS for box in ("inbox", "claimed", "tmp")
                    for name in os.listdir(f"{SERVED}/spool/bots/{bot}/{box}")
                    # What a Python client was about to drop when it was killed stays in tmp/ for an hour.
                    if name.endswith(".json") and (box != "tmp" or "~" in name)]
            if not left:
                break
            assert now() < end, left[:5]
            time.sleep(0.2)
        for process in running.values():
            process.terminate()
        host.kill_processes()
        self.note.client = "driver"
        self.note("over")

    def verdict(self):
        names = os.listdir(self.directory)
        lines = check_history.read_histories(
            [self.path(name) for name in names if not name.endswith((".events", ".err"))])
        for name in names:
            if name.endswith(".events"):
                with open(self.path(name[:-7])) as file:
                    bot = json.loads(file.readline())["bot"]
                with open(self.path(name), "rb") as file:
                    events = [json.loads(line) for line in file if line.endswith(b"\n")]
                lines += [{"t": now(), "client": name[:-7], "op": event["event"], "bot": bot, "id": event["id"],
                           "attempt": event["attempt"]} for event in events if event["event"] in ("acked", "lost")]
        faults, counts = check_history.judge(lines, self.lease)
        faults += [f"trouble: {line['client']}: {line.get('why', '')}" for line in lines
                   if line["op"] in ("trouble", "refused")]
        return faults, counts
