#!/usr/bin/env python3
# The Python client of examples/, which was written from spool-layout.md alone, and the real command on one spool:
#   SPOOL=.build/debug/spool python3 .ci/python-client.py
"""Exchanges messages both ways, lets both kinds compete and die, and checks all that is then in the spool."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import zlib
from collections import Counter

SECONDS_MAX = 240
MESSAGES = 240
HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(os.path.dirname(HERE), "examples")
sys.path.insert(0, EXAMPLES)
sys.dont_write_bytecode = True
import nanospool  # noqa: E402

SPOOL = shutil.which(os.environ.get("SPOOL", "spool"))
children = []


def check(fact, what):
    if not fact:
        raise AssertionError(what)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def spool(*arguments, exits=(0,), text=None):
    """Runs the command; its standard output."""
    done = subprocess.run([SPOOL, *arguments], input=text, capture_output=True, text=True, timeout=60)
    check(done.returncode in exits, f"spool {' '.join(arguments)} exited {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def receive(bot, wait="20s"):
    """Claims with the command."""
    return json.loads(spool("receive", bot, "--wait", wait, "--json"))


def start(command, **options):
    child = subprocess.Popen(command, text=True, start_new_session=True, **options)
    children.append(child)
    return child


def start_python(code, *arguments):
    """A process with the Python client in `s`."""
    program = "import os, sys, time, nanospool\ns = nanospool.Spool(os.environ['SPOOL_DIR'])\n" + textwrap.dedent(code)
    environment = {**os.environ, "PYTHONPATH": EXAMPLES, "PYTHONDONTWRITEBYTECODE": "1"}
    return start([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, env=environment)


def kill(child):
    os.killpg(child.pid, signal.SIGKILL)
    child.wait(timeout=30)


# What is tried


def both_ways(client):
    id = client.send("coder", "drop: höhe ≥ 1\n", sender="py", priority=9, data={"n": 1})
    got = receive("coder")
    equal((got["message"]["id"], got["message"]["content"]), (id, "drop: höhe ≥ 1\n"), "a message dropped by Python")
    check(got["claim"].startswith(f"coder/1-{id}~1~"), f"urgency, id and attempt in {got['claim']}")
    spool("ack", got["claim"])

    id = spool("send", "py", 'sent "by" spool\\', "--from", "coder", "--context", '{"x":1.10}').strip()
    claim = client.receive("py", wait=20)
    equal((claim.message["id"], claim.message["content"]), (id, 'sent "by" spool\\'), "a message sent by the command")
    equal((claim.message["context"], claim.name.attempt), ({"x": 1.1}, 1), "its context and attempt")
    answer = client.reply(claim, "got it")
    client.ack(claim)
    got = receive("coder")["message"]
    equal((got["id"], got["in_reply_to"], got["conversation"]), (answer, id, id), "an answer by Python")
    spool("inbox", "coder", exits=(0, 1))
    for claimed in nanospool.listed(client.box("coder", "claimed")):
        spool("ack", f"coder/{claimed}")

    server = start_python("""
        claim = s.receive("py", wait=30)
        s.reply(claim, "42: " + claim.message["content"])
        s.ack(claim)
        """)
    equal(spool("request", "py", "question", "--from", "coder", "--wait", "30s"), "42: question\n", "an answered request")
    equal(server.wait(timeout=30), 0, "the answering process")
    answers = [event for event in client.events() if event["data"].get("message", {}).get("content") == "42: question"]
    equal([event["type"] for event in answers], ["message.sent"], "the answer in the log")


def dropped_files(client):
    inbox = client.box("coder", "inbox")
    for index, text in enumerate(['{"content":"a"}', ' {"content" : "b\\u0041", "n": [1.10, 1e3]}\n', '{"sender_id":"x","content":"c"}']):
        with open(os.path.join(inbox, f"hand {index}.json"), "w") as file:
            file.write(text)
    seen = set()
    while len(seen) < 3:
        claim = client.receive("coder", wait=20)
        seen.add(claim.message["content"])
        client.ack(claim)
    equal(seen, {"a", "bA", "c"}, "files dropped by hand, adopted by Python")
    # Whoever wanted to give it its name died: the log may have it already, under the id that the file is called.
    id = nanospool.new_id()
    with open(os.path.join(inbox, f"{id}.json"), "w") as file:
        file.write('{"content":"half adopted"}')
    claim = client.receive("coder", wait=20)
    equal((claim.name.id, claim.message["content"]), (id, "half adopted"), "a file whose adopter died")
    client.ack(claim)
    # Two with one id, of which the client has the first in hand.
    id = nanospool.new_id()
    for name in ("twin a.json", "twin b.json"):
        with open(os.path.join(inbox, name), "w") as file:
            json.dump({"id": id, "content": name}, file)
    claims = [client.receive("coder", wait=20), client.receive("coder", wait=20)]
    equal({claim.message["content"] for claim in claims}, {"twin a.json", "twin b.json"}, "two dropped with one id")
    equal([claim.name.id == id for claim in claims], [True, False], "whose id it is")
    for claim in claims:
        client.ack(claim)
    ahead = nanospool.compact(time.time() + 7200) + "-0123456789abcdef"
    with open(os.path.join(inbox, "ahead.json"), "w") as file:
        json.dump({"id": ahead, "agent": "first", "sender_id": "second", "content": "x"}, file)
    claim = client.receive("coder", wait=20)
    equal((claim.name.id == ahead, claim.message["from"]), (False, "first"), "an id to come, and two aliases")
    client.ack(claim)
    with open(os.path.join(inbox, "bad.json"), "w") as file:
        file.write('{"content":1,}')
    spool("receive", "coder", "--wait", "2s", exits=(1,))
    check(any("-coder-bad.json" in name for name in os.listdir(os.path.join(client.path, "quarantine"))), "a bad file set aside")
    damaged = client.box("coder", "inbox", f"5-{nanospool.new_id()}.json")
    with open(damaged, "w") as file:
        file.write('{"content":')
    equal(client.receive("coder"), None, "a damaged message")
    check(os.path.basename(damaged)[:-5] in " ".join(os.listdir(os.path.join(client.path, "quarantine"))), "it is set aside")


def host_names(client):
    before, path = os.environ.get("SPOOL_HOST"), client.path + ".hosts"
    spool("init", path)
    spool("register", "py", "--spool", path)
    try:
        for text in ("", "é", "." + "a" * 70, "pi.local"):
            os.environ["SPOOL_HOST"] = text
            id = spool("send", "py", "from a host", "--from", "coder", "--spool", path).strip()
            source = nanospool.Spool(path).trace(id)[0]["source"]
            equal(source.split("/")[1], nanospool.host_name(), f"the name of a host that is called {text!r}")
    finally:
        os.environ.pop("SPOOL_HOST", None)
        if before is not None:
            os.environ["SPOOL_HOST"] = before


def settling(client):
    id = spool("send", "coder", "round trip", "--from", "py").strip()
    client.nack(client.receive("coder", wait=20), reason="not now")
    got = receive("coder")
    equal((got["message"]["id"], got["attempt"]), (id, 2), "after a nack by Python")
    spool("nack", got["claim"], "--delay", "3s")
    equal(client.receive("coder"), None, "a message that must wait")
    claim = client.receive("coder", wait=20)
    equal((claim.message["id"], claim.name.attempt), (id, 3), "after a nack by the command")
    client.bury(claim, "no good\n")
    equal(json.loads(spool("dead", "coder", "--json"))["reason"], "no good\n", "the reason of a dead letter")
    spool("dead", "coder", "--retry", id)
    claim = client.receive("coder", wait=20)
    equal((claim.message["id"], claim.name.attempt), (id, 1), "after it was put back")
    client.ack(claim)
    try:
        client.ack(claim)
        check(False, "an ack of what was acked already went through")
    except nanospool.ClaimLost:
        pass
    spool("receive", "coder", exits=(1,))
    equal(nanospool.listed(client.box("coder", "done")), [], "what is in done/ once the command has looked")
    # What Python does, but for the ack, is in no log.
    kinds = ["sent", "claimed", "requeued", "revived", "acked"]
    equal([event["type"] for event in client.trace(id)], [f"message.{kind}" for kind in kinds], "its trace by Python")
    shown = [json.loads(line)["type"] for line in spool("trace", id, "--json").splitlines()]
    equal(shown, [f"message.{kind}" for kind in kinds], "its trace by the command")


def competing(client):
    """Nobody dies: each message is handled once."""
    receivers = [
        start_python("""
            while claim := s.receive("crowd", wait=float(sys.argv[1])):
                print(claim.message["id"], flush=True)
                s.ack(claim)
            """, "8")
        for _ in range(2)
    ] + [
        start(["sh", "-c", 'while token=$("$0" receive crowd --wait 8s --json); do\n'
               'token=${token#*\'"claim":"\'}; token=${token%%\\"*}; id=${token#crowd/?-}; echo "${id%%~*}"; '
               '"$0" ack "$token" || exit 9; done', SPOOL], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    sent = []
    for number in range(MESSAGES // 2):
        sent.append(client.send("crowd", f"drop {number}", sender="py"))
        sent.append(spool("send", "crowd", f"send {number}", "--from", "coder").strip())
    outputs = [child.communicate(timeout=120)[0].split() for child in receivers]
    equal([child.returncode for child in receivers], [0] * 4, "the receivers' exits")
    handled = Counter(id for output in outputs for id in output)
    equal(len(set(sent)), MESSAGES, "ids")
    equal(handled, Counter(sent), "what was handled, and how often")
    shares = [len(output) for output in outputs]
    check(all(shares), f"a receiver got nothing: {shares}")
    print(f"  {MESSAGES} messages, each handled once; shares {shares}")


def dead_holders(client):
    """What one kind had when it died, the other gets."""
    id = spool("send", "coder", "held by Python", "--from", "py").strip()
    holder = start_python("""
        claim = s.receive("coder", wait=20)
        print(claim.message["id"], flush=True)
        time.sleep(600)
        """)
    equal(holder.stdout.readline().strip(), id, "held by Python")
    spool("receive", "coder", exits=(1,))
    kill(holder)
    got = receive("coder")
    equal((got["message"]["id"], got["attempt"]), (id, 2), "taken over by the command")

    # The command's claim has no process behind it: it lasts for its lease.
    began = time.monotonic()
    claim = client.receive("coder", wait=20)
    equal((claim.message["id"], claim.name.attempt), (id, 3), "taken over by Python")
    check(time.monotonic() - began > 0.5, "a claim of the command was taken before its lease was over")
    spool("ack", got["claim"], exits=(3,))

    # Renewed, it stays; not renewed, it goes, and a late ack is refused.
    for _ in range(8):
        time.sleep(0.3)
        client.extend(claim)
        spool("receive", "coder", exits=(1,))
    got = receive("coder")
    equal((got["message"]["id"], got["attempt"]), (id, 4), "taken over after the lease")
    try:
        client.ack(claim)
        check(False, "a late ack went through")
    except nanospool.ClaimLost:
        pass
    spool("ack", got["claim"])
    equal(client.receive("coder"), None, "what is left")


def dead_worker(client):
    """A running worker of the command is killed with a message in hand."""
    if subprocess.run([SPOOL, "work", "--help"], capture_output=True).returncode != 0:
        raise AssertionError("this spool has no work")
    id = client.send("coder", "held by a worker", sender="py")
    worker = start([SPOOL, "work", "coder", "--", "sleep", "600"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not any(id in name for name in nanospool.listed(client.box("coder", "claimed"))):
        check(time.monotonic() < deadline, "the worker claimed nothing")
        time.sleep(0.05)
    equal(client.receive("coder"), None, "what the worker holds")
    kill(worker)
    claim = client.receive("coder", wait=20)
    equal((claim.message["id"], claim.name.attempt), (id, 2), "taken over from a worker")
    client.ack(claim)


def torn_log(client):
    """Half a line at the log's end, from a writer that died, is no line yet; the Python client reads past it."""
    id = spool("send", "coder", "before a torn line", "--from", "py").strip()
    copy = client.path + ".torn"
    shutil.copytree(client.path, copy)
    other = nanospool.Spool(copy)
    newest = sorted(other.segments())[-1]
    with open(newest, "ab") as file:
        # As it is in room, which the next lines would have overwritten.
        file.write(b'{"specversion":"1.0","id":"9' + b" " * 100_000)
    equal([event["type"] for event in other.trace(id)], ["message.sent"], "its trace")
    spool("doctor", "--repair", "--spool", copy)
    with open(newest, "rb") as file:
        check(file.read().endswith(b'"}\n'), "the torn line is cut off")
    client.ack(client.receive("coder", wait=20))


# What is then checked


def log_is_sound(client):
    count = 0
    for path, offset, line in client.lines():
        count += 1
        crc = re.search(rb',"crc32":"([0-9a-f]{8})"\}\n$', line)
        check(crc and crc.group(1) == b"%08x" % zlib.crc32(line[: crc.start()]), f"{path} at {offset}: {line!r}")
        check(nanospool.read_event(line), f"{path} at {offset} is no event: {line!r}")
    sources = Counter((event["source"], event["id"]) for event in client.events())
    equal([key for key, times in sources.items() if times > 1], [], "events with one source and id")
    shown = spool("log", "--since", "1d", "--json").splitlines()
    equal(len(shown), count, "lines shown by the command")
    print(f"  {count} log lines, each with its checksum")


def jq_reads_everything(client):
    paths = []
    for directory, _, names in os.walk(client.path):
        if os.path.basename(directory) == "quarantine":
            names = [name for name in names if name.endswith(".reason")]
        paths += [os.path.join(directory, name) for name in names if re.search(r"\.(json|jsonl|reason)$", name)]
    check(len(paths) > 4, f"only {len(paths)} files")
    for path in paths:
        with open(path, "rb") as file:
            # Half a line at a segment's end is no line yet.
            data = file.read() if not path.endswith(".jsonl") else b"".join(line for line in file if line.endswith(b"\n"))
        done = subprocess.run(["jq", "-e", "type == \"object\""], input=data, capture_output=True, timeout=60)
        equal(done.returncode, 0, f"jq on {path}: {done.stderr.decode()}")
        if path.endswith(".jsonl"):
            equal(set(done.stdout.split()), {b"true"}, f"jq on {path}")
    print(f"  jq read {len(paths)} files")


def recovery_agrees(client):
    """Nothing that either kind acked comes back, neither here nor in a copy."""
    for finding in spool("doctor", "--json", exits=(0, 1)).splitlines():
        check("/presence/" in json.loads(finding)["path"], f"besides the killed worker, doctor finds {finding}")
    spool("doctor", "--repair")
    said = spool("doctor")
    check("all is well" in said or "nothing to repair" in said, f"doctor finds more after a repair: {said}")
    copy = client.path + ".copy"
    shutil.copytree(client.path, copy)
    before = sorted(name for bot in ("coder", "py", "crowd") for name in os.listdir(client.box(bot, "inbox")))
    other = nanospool.Spool(copy)
    spool("doctor", "--repair", "--spool", copy)
    after = sorted(name for bot in ("coder", "py", "crowd") for name in os.listdir(other.box(bot, "inbox")))
    equal(after, before, "the inboxes of a copy")


def main():
    if not SPOOL or not shutil.which("jq"):
        sys.exit("python-client: needs the command spool (on PATH, or SPOOL=its path) and jq")
    signal.alarm(SECONDS_MAX)  # whatever hangs, this ends it
    directory = tempfile.mkdtemp(prefix="nanospool-python-")
    try:
        path = os.path.join(directory, "spool")
        os.environ["SPOOL_DIR"] = path
        spool("init", path, "--lease", "1s", "--attempts", "9")
        for bot in ("coder", "py", "crowd"):
            spool("register", bot, *(["--lease", "60s"] if bot == "crowd" else []))
        client = nanospool.Spool(path)
        for step in (both_ways, dropped_files, host_names, settling, competing, dead_holders, dead_worker, torn_log,
                     log_is_sound, jq_reads_everything, recovery_agrees):
            began = time.monotonic()
            step(client)
            print(f"python-client: {step.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)", flush=True)
    finally:
        for child in children:
            if child.poll() is None:
                kill(child)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
