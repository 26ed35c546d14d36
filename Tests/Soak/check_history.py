#!/usr/bin/env python3
# Judges what the clients of a spool saw:  python3 Tests/Soak/check_history.py HISTORY… [--lease SECONDS]
"""Finds, in the histories that clients wrote while they used a spool, what a spool must never do. It knows nothing of
files, and shares no code with the program: only what was asked for, and what was answered.

A history is JSON lines; half a line at its end (its writer was killed) doesn't count. Every line has `t` (seconds since
boot, the same clock for all), `client` (a process, with a new name each time it is started) and `op`:

  send      token, to [bots]                        about to send; the token is the content, and used for one message
  sent      token, id                               answered with yes
  refused   token                                   answered with no
  receiving bot                                     begins to take messages
  received  bot, id, attempt, token, began          handed out; `began` is when it was asked for. `after`, if it is
                                                    there, is earlier: the holder may have had it since then
  acking    bot, id, attempt                        about to say that it is done
  acked     bot, id, attempt                        answered with yes
  lost      bot, id, attempt                        answered with "no longer yours"
  nacking   bot, id, attempt                        about to give it back
  killing, killed, stopped, continued               done to the process `client`: before a signal is sent that kills or
                                                    stops it, and after it is dead or goes on
  dead      bot, id, token                          found at the end among the dead letters
  over                                              all senders have ended and every inbox was emptied

Whatever was begun and not answered may have happened or not.
"""
import argparse
import collections
import json
import sys

SLACK = 0.05  # seconds: between a claim and the clock reading before it
CLOCK = 0.01  # seconds: what a shell reads the time from counts in these, and so may seem to be earlier


class Fault:
    def __init__(self, kind, about, what):
        self.kind, self.about, self.what = kind, about, what

    def __str__(self):
        return f"{self.kind}: {self.about}: {self.what}"


def read_histories(paths):
    """All whole lines of the files, in order of time."""
    lines = []
    for path in paths:
        with open(path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    lines.append(json.loads(line))
    return sorted(lines, key=lambda line: line["t"])


class Judge:
    def __init__(self, lines, lease):
        self.lease = lease
        self.sends, self.ids, self.refused = {}, {}, set()
        self.received = collections.defaultdict(list)  # (bot, token) → lines
        self.settled = collections.defaultdict(list)  # (bot, id) → lines about ending it
        self.disturbed = collections.defaultdict(list)  # client → lines
        self.receivers = collections.defaultdict(set)  # bot → clients
        self.dead, self.is_over, self.faults = set(), False, []
        for line in lines:
            self.take(line)

    def take(self, line):
        op = line["op"]
        if op == "send":
            self.sends.setdefault(line["token"], line)
        elif op == "sent":
            known = self.ids.setdefault(line["token"], line["id"])
            if known != line["id"]:
                self.fault("doubled", line["token"], f"sent once, and answered with two ids, {known} and {line['id']}")
        elif op == "refused":
            self.refused.add(line["token"])
        elif op == "received":
            self.received[line["bot"], line["token"]].append(line)
            self.receivers[line["bot"]].add(line["client"])
        elif op in ("acking", "acked", "lost", "nacking"):
            self.settled[line["bot"], line["id"]].append(line)
        elif op in ("killing", "killed", "stopped", "continued"):
            self.disturbed[line["client"]].append(line)
        elif op == "dead":
            self.dead.add((line["bot"], line["token"]))
        elif op == "receiving":
            self.receivers[line["bot"]].add(line["client"])
        elif op == "over":
            self.is_over = True

    def fault(self, kind, about, what):
        self.faults.append(Fault(kind, about, what))

    def judge(self):
        for token in self.ids:
            for bot in self.sends[token]["to"] if token in self.sends else []:
                self.judge_kept(bot, token)
        for (bot, token), lines in sorted(self.received.items()):
            self.judge_expected(bot, token, lines)
            by_id = collections.defaultdict(list)
            for line in lines:
                by_id[line["id"]].append(line)
            for id, lines in by_id.items():
                self.judge_attempts(bot, id, lines)
        return self.faults

    def judge_kept(self, bot, token):
        """What was answered with yes reached its recipient, and was done there."""
        if not self.is_over:
            return
        lines = self.received.get((bot, token), [])
        if not lines:
            if (bot, token) not in self.dead:
                self.fault("lost", token, f"{self.ids[token]} was sent to {bot} with yes, and never came")
            return
        ops = {line["op"] for line in self.settled[bot, self.ids[token]]}
        if not ops & {"acked", "acking"} and (bot, token) not in self.dead:
            self.fault("lost", token, f"{bot} had it {len(lines)} times, was never done with it, and it is gone")

    def judge_expected(self, bot, token, lines):
        ids = {line["id"] for line in lines}
        if token not in self.sends:
            return self.fault("unexpected", token, f"{bot} received what nobody sent")
        if bot not in self.sends[token]["to"]:
            self.fault("unexpected", token, f"{bot} received what was sent to {self.sends[token]['to']}")
        if token in self.refused and token not in self.ids:
            self.fault("unexpected", token, f"{bot} received what was answered with no")
        if self.ids.get(token) and ids != {self.ids[token]}:
            self.fault("unexpected", token, f"{bot} received {sorted(ids)}, and {self.ids[token]} was sent")
        elif len(ids) > 1:
            self.fault("doubled", token, f"{bot} received it as {len(ids)} messages: {sorted(ids)}")

    def judge_attempts(self, bot, id, lines):
        """Each attempt has one holder, and each but the first a cause: what became of the one before."""
        by_attempt = collections.defaultdict(list)
        for line in lines:
            by_attempt[line["attempt"]].append(line)
        for attempt, holders in by_attempt.items():
            if len(holders) > 1:
                names = " and ".join(line["client"] for line in holders)
                self.fault("doubled", id, f"attempt {attempt} of {bot} was handed to {names}")
        attempts = sorted(by_attempt)
        for attempt in attempts:
            self.judge_cause(bot, id, attempt, by_attempt)
        self.judge_stale(bot, id, by_attempt)

    def judge_cause(self, bot, id, attempt, by_attempt):
        if attempt == 1:
            return
        line = by_attempt[attempt][0]
        before = by_attempt.get(attempt - 1)
        if not before:
            # Nobody says to have had it: whoever did was killed, or stopped, before it could.
            since = self.sends.get(line["token"], line)["t"]
            if not any(self.was_disturbed(client, since, line["t"] + CLOCK) for client in self.receivers[bot]):
                self.fault("doubled", id, f"attempt {attempt} of {bot} has no attempt {attempt - 1} before it")
            return
        for holder in before:
            if line["t"] - holder["began"] >= self.lease - SLACK:
                return
            if self.was_disturbed(holder["client"], holder.get("after", holder["began"]), line["t"] + CLOCK):
                return
        if any(end["op"] == "nacking" and end["attempt"] == attempt - 1 for end in self.settled[bot, id]):
            return
        took = line["t"] - before[0]["began"]
        self.fault(
            "doubled", id, f"attempt {attempt} of {bot} came {took:.2f} s after attempt {attempt - 1} was asked for, "
            f"whose holder {before[0]['client']} was neither killed nor stopped and didn't give it back")

    def was_disturbed(self, client, start, end):
        """Killed, or stopped, at some moment between the two."""
        since = None
        for line in self.disturbed.get(client, []):
            if line["op"] in ("stopped", "killing"):
                since = line["t"]
            else:
                if (line["t"] if since is None else since) <= end and line["t"] >= start - SLACK:
                    return True
                since = None
        return since is not None and since <= end

    def judge_stale(self, bot, id, by_attempt):
        """An ack that was answered with yes ended the message: no other attempt came after it, or had come before."""
        acked = [line for line in self.settled[bot, id] if line["op"] == "acked"]
        for ack in acked:
            for attempt, holders in by_attempt.items():
                if attempt <= ack["attempt"]:
                    continue
                begun = [line["t"] for line in self.settled[bot, id]
                         if line["op"] == "acking" and line["attempt"] == ack["attempt"]]
                if begun and holders[0]["t"] < begun[0]:
                    self.fault("stale accepted", id, f"{bot} acked attempt {ack['attempt']} with yes, and "
                                                     f"{holders[0]['client']} had had attempt {attempt} before")
                else:
                    self.fault("doubled", id, f"attempt {attempt} of {bot} was handed out, though attempt "
                                              f"{ack['attempt']} was acked with yes")
        if len({ack["attempt"] for ack in acked}) > 1 or len(acked) > len({ack["client"] for ack in acked}):
            self.fault("stale accepted", id, f"{bot} acked it {len(acked)} times, each with yes")

    def counts(self):
        handed = sum(len(lines) for lines in self.received.values())
        ends = collections.Counter(line["op"] for lines in self.settled.values() for line in lines)
        again = sum(1 for lines in self.received.values() for line in lines if line["attempt"] > 1)
        done = collections.Counter(line["op"] for lines in self.disturbed.values() for line in lines)
        return {
            "sends": len(self.sends), "answered yes": len(self.ids), "handed out": handed, "again": again,
            "acked": ends["acked"], "refused as late": ends["lost"], "killed": done["killed"],
            "stopped": done["stopped"], "faults": len(self.faults),
        }


def judge(lines, lease):
    judge = Judge(lines, lease)
    return judge.judge(), judge.counts()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("histories", nargs="+")
    parser.add_argument("--lease", type=float, default=60, help="seconds")
    arguments = parser.parse_args()
    faults, counts = judge(read_histories(arguments.histories), arguments.lease)
    for fault in faults:
        print(fault)
    print(", ".join(f"{name} {count}" for name, count in counts.items()))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
