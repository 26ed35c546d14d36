#!/usr/bin/env python3
# One client of a soak, started by soak.py:  python3 Tests/Soak/client.py ROLE SPOOL HISTORY NAME SEED
"""A process that sends or receives for ever, and writes down what it saw. It ends when it is killed."""
import json
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../examples"))
import nanospool  # noqa: E402

BOTS = ["a", "b", "c"]
COMMAND = os.environ.get("SPOOL", "spool")
BACKLOG_MAX = int(os.environ.get("SOAK_BACKLOG", "80"))  # waiting in an inbox; then its senders pause


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class History:
    """Each line is one write, so that a kill leaves whole lines."""

    def __init__(self, path, client):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.client = client

    def __call__(self, op, **members):
        line = {"t": now(), "client": self.client, "op": op, **members}
        os.write(self.file, json.dumps(line).encode() + b"\n")


class Client:
    def __init__(self, role, spool, history, name, seed):
        self.role, self.spool, self.name = role, spool, name
        self.note = History(history, name)
        self.random = random.Random(f"{seed}/{name}")
        self.count = 0

    def run(self):
        ROLES[self.role](self)

    def command(self, *arguments, limit=60):
        return subprocess.run([COMMAND, *arguments, "--spool", self.spool], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit)

    # Senders

    def next_message(self):
        """A token that is used once, and who gets it; after there is room for it."""
        self.count += 1
        bots = sorted(self.random.sample(BOTS, self.random.choice([1, 1, 1, 2, 3])))
        while any(len(os.listdir(f"{self.spool}/bots/{bot}/inbox")) > BACKLOG_MAX for bot in bots):
            time.sleep(0.05)
        return f"{self.name}.{self.count}", bots

    def send_by_command(self):
        while True:
            token, bots = self.next_message()
            durability = self.random.choice(["--relaxed", "--durable"])
            priority = str(self.random.randint(1, 10))
            self.note("send", token=token, to=bots)
            self.answer(token, self.command(
                "send", ",".join(bots), token, "--from", "soak", "--priority", priority, durability))

    def answer(self, token, result):
        if result.returncode == 0:
            self.note("sent", token=token, id=result.stdout.strip())
        elif "may or may not" in result.stderr:
            self.note("unknown", token=token, why=result.stderr)
        else:
            self.note("refused", token=token, why=result.stderr)

    def send_with_key(self):
        """Kills its own commands, and sends again under the same key until one says yes."""
        while True:
            token, bots = self.next_message()
            self.note("send", token=token, to=bots)
            while True:
                process = subprocess.Popen(
                    [COMMAND, "send", ",".join(bots), token, "--from", "soak", "--key", token, "--spool", self.spool],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                if self.random.random() < 0.5:
                    time.sleep(self.random.uniform(0, 0.02))
                    process.kill()
                output, error = process.communicate()
                if process.returncode == 0:
                    self.note("sent", token=token, id=output.strip())
                    break
                if process.returncode > 0 and process.returncode != 75:
                    self.note("trouble", token=token, why=error)
                    break

    def send_by_python(self):
        spool = nanospool.Spool(self.spool)
        while True:
            token, bots = self.next_message()
            bot = self.random.choice(bots)
            self.note("send", token=token, to=[bot])
            self.note("sent", token=token, id=spool.send(bot, token, sender="soak"))
            time.sleep(self.random.uniform(0, 0.05))

    # Receivers

    def bot(self):
        bot = BOTS[self.random.randrange(len(BOTS))]
        self.note("receiving", bot=bot)
        return bot

    def receive_by_command(self):
        bot = self.bot()
        while True:
            began = now()
            got = self.command("receive", bot, "--wait", "2s", "--json")
            if got.returncode != 0:
                if got.returncode != 1:
                    self.note("trouble", bot=bot, why=got.stderr)
                continue
            got = json.loads(got.stdout)
            claim, message = got["claim"], got["message"]
            about = {"bot": bot, "id": message["id"], "attempt": got["attempt"]}
            self.note("received", **about, token=message["content"], began=began)
            self.work(lambda: self.command("extend", claim))
            if self.random.random() < 0.1:
                self.note("nacking", **about)
                self.command("nack", claim)
                continue
            self.note("acking", **about)
            status = self.command("ack", claim).returncode
            self.note({0: "acked", 3: "lost"}.get(status, "trouble"), **about)

    def receive_by_python(self):
        bot = self.bot()
        spool = nanospool.Spool(self.spool)
        while True:
            began = now()
            claim = spool.receive(bot, wait=2)
            if claim is None:
                continue
            about = {"bot": bot, "id": claim.name.id, "attempt": claim.name.attempt}
            self.note("received", **about, token=claim.message["content"], began=began)
            try:
                self.work(lambda: spool.extend(claim))
                if self.random.random() < 0.1:
                    self.note("nacking", **about)
                    spool.nack(claim)
                    continue
                self.note("acking", **about)
                spool.ack(claim)
                self.note("acked", **about)
            except nanospool.ClaimLost:
                self.note("lost", **about)

    def work(self, renew):
        """Mostly short; now and then longer than the lease, renewed or not."""
        chance = self.random.random()
        if chance < 0.9:
            time.sleep(self.random.uniform(0, 0.01))
        elif chance < 0.98:
            time.sleep(0.4)
            renew()
            time.sleep(0.4)
        else:
            time.sleep(self.random.uniform(1, 2.5))

    def run_worker(self):
        """Becomes `spool work`; the program it runs writes the history, and what the worker says is kept beside it."""
        bot = self.bot()
        path = self.note_path()
        output = os.open(path + ".events", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.environ.update(SOAK_HISTORY=path, SOAK_CLIENT=self.name)
        os.execvp(COMMAND, [COMMAND, "work", bot, "--slots", "2", "--json", "--spool", self.spool, "--", "/bin/sh",
                            os.path.join(HERE, "handle.sh")])

    def note_path(self):
        return os.readlink(f"/proc/self/fd/{self.note.file}")

    # Those who look after it

    def repair(self):
        while True:
            time.sleep(self.random.uniform(0.5, 3))
            result = self.command("doctor", "--repair", self.random.choice(["--json"]))
            if result.returncode != 0:
                self.note("trouble", why=result.stderr)


# What a process of the soak may be. Others that use a spool (a coordinator, those who add tasks and work on them) are
# added here, with what they see as lines that check_history.py knows.
ROLES = {
    "sender": Client.send_by_command,
    "keyed-sender": Client.send_with_key,
    "python-sender": Client.send_by_python,
    "receiver": Client.receive_by_command,
    "python-receiver": Client.receive_by_python,
    "worker": Client.run_worker,
    "doctor": Client.repair,
}


if __name__ == "__main__":
    role, spool, history, name, seed = sys.argv[1:]
    Client(role, spool, history, name, seed).run()
