#!/usr/bin/env python3
# A client in plain Python. Import it, or see what a spool logged:  python3 examples/nanospool.py "$SPOOL_DIR" trace ID
"""Send, receive, renew, ack, nack and trace messages of a spool. Written from spool-layout.md alone, with the standard
library only.

    import nanospool
    spool = nanospool.Spool(".spool")
    spool.send("coder", content="hello", sender="me")
    claim = spool.receive("coder", wait=10)
    if claim:
        print(claim.message["content"])
        spool.ack(claim)

It renames files, and writes no log: what it acks it moves into done/, and `spool` takes it from there.
"""
import json
import os
import re
import secrets
import socket
import stat
import sys
import time
import zlib
from datetime import datetime, timezone

MESSAGE_BYTES_MAX = 4 << 20
TIME = r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z"
ID = TIME + r"-[0-9a-f]{16}"
HOLDER = r"(?!\.)[A-Za-z0-9._-]{1,64}\.(?:0|[1-9][0-9]*)\.(?:0|[1-9a-f][0-9a-f]{0,15})"
NAME = re.compile(r"([0-9])-(%s)(?:~(0|[1-9][0-9]{0,3})(?:~(?:(%s)|(%s)))?)?\.json" % (ID, TIME, HOLDER))
BOT = re.compile(r"(?!team$)[a-z0-9][a-z0-9._-]{0,63}")
PRIORITIES = {"low": 3, "normal": 5, "medium": 5, "high": 7, "urgent": 9, "critical": 10}
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[ \t\r\n]+')
ALIASES = {
    "sender_id": "from", "agent": "from", "recipient_id": "to", "message_type": "type", "action": "type",
    "conversation_id": "conversation", "response_to_id": "in_reply_to", "timestamp": "created_at",
}


class NotASpool(Exception):
    pass


class NoSuchBot(Exception):
    pass


class BadMessage(Exception):
    """What is no message, and why."""


class ClaimLost(Exception):
    """The claim's lease ran out, or it was settled before. Nothing was changed."""


# Names and times


class Name:
    """The name of a message's file: urgency, id, attempt, and a holder or a time before which it must wait."""

    def __init__(self, urgency, id, attempt=0, holder=None, not_before=None):
        self.urgency, self.id, self.attempt = urgency, id, attempt
        self.holder, self.not_before = holder, not_before

    @classmethod
    def parse(cls, text):
        """None for a name that is not a proper one."""
        match = NAME.fullmatch(text)
        if not match or len(text) > 255:
            return None
        urgency, id, attempt, not_before, holder = match.groups()
        if attempt == "0" and not (not_before or holder):
            return None
        try:
            for moment in filter(None, (id[:23], not_before)):
                datetime.strptime(moment, "%Y%m%dT%H%M%S.%fZ")
        except ValueError:
            return None
        return cls(int(urgency), id, int(attempt or 0), holder, not_before)

    def __str__(self):
        third = self.holder or self.not_before
        text = f"{self.urgency}-{self.id}"
        if self.attempt or third:
            text += f"~{self.attempt}"
        return text + (f"~{third}" if third else "") + ".json"

    def waiting(self, not_before=None):
        return Name(self.urgency, self.id, self.attempt, None, not_before)

    def held(self, holder, attempt):
        return Name(self.urgency, self.id, attempt, holder)


def compact(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")


def rfc3339(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(value):
    """Seconds since 1970 of a time in a message: RFC 3339 text, or a number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = re.sub(r"(\.\d{6})\d+", r"\1", str(value)).replace("Z", "+00:00").replace("z", "+00:00")
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def new_id():
    return f"{compact(time.time())}-{secrets.token_hex(8)}"


# Strict JSON


def parse_json(data, depth_max=128):
    """The value in strict UTF-8 JSON. Python's own reader takes duplicate keys, NaN and lone surrogates."""

    def members(pairs):
        value = dict(pairs)
        if len(value) != len(pairs):
            raise ValueError("duplicate key")
        return value

    def refuse(word):
        raise ValueError(f"unexpected {word}")

    def integer(text):
        return int(text) if len(text) < 1000 else float(text)

    try:
        text, depth = data.decode("utf-8"), 0
        for token in TOKEN.finditer(text):
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token.group()[0], 0)
            if depth > depth_max:
                raise ValueError(f"nested deeper than {depth_max}")
        value = json.loads(text, object_pairs_hook=members, parse_constant=refuse, parse_int=integer)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except ValueError as error:
        raise BadMessage(f"not JSON: {error}")


def write_json(value):
    """One line without white space, with only the escapes that must be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def parse_message(data):
    """The message in a file, its aliases read as the members they stand for."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise BadMessage(f"{len(data)} bytes, and a message may have {MESSAGE_BYTES_MAX}")
    body = parse_json(data)
    if not isinstance(body, dict):
        raise BadMessage("not an object")
    message = {key: value for key, value in body.items() if value is not None}
    for alias in list(message):  # of two for one member the first in the file counts
        if alias in ALIASES and ALIASES[alias] not in message:
            message[ALIASES[alias]] = message.pop(alias)
    check_members(message)
    if not any(key in message for key in ("content", "data", "context", "type")):
        raise BadMessage('says nothing: give it "content" or "data"')
    return message


def check_members(message):
    for key in ("content", "from", "conversation", "in_reply_to", "idempotency_key"):
        value = message.get(key, "")
        if not isinstance(value, str) or (key != "content" and len(value.encode()) > 512):
            raise BadMessage(f'"{key}" must be a text' + ("" if key == "content" else " of at most 512 bytes"))
    if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,63}", str(message.get("type", "request"))):
        raise BadMessage('"type" must be a word such as "request"')
    names = message.get("to", [])
    names = names if isinstance(names, list) else [names]
    if len(names) > 10_000 or not all(isinstance(name, str) and len(name.encode()) <= 512 for name in names):
        raise BadMessage('"to" must be a name, or a list of at most 10,000')
    priority_of(message)
    for key in ("created_at", "not_before", "expires_at"):
        if key in message:
            try:
                seconds_of(message[key])
            except (ValueError, OverflowError):
                raise BadMessage(f'"{key}" must be a time such as 2026-11-20T23:45:12Z')


def priority_of(message):
    value = message.get("priority", 5)
    if isinstance(value, str):
        value = PRIORITIES.get(value.lower(), int(value) if value.isdecimal() else 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10:
        raise BadMessage('"priority" must be a whole number from 1 to 10')
    return value


# Processes


def namespace():
    """The number of this process's PID namespace; 0 for the machine's first."""
    number = os.stat("/proc/self/ns/pid").st_ino
    return number if number >= 0xF0000000 else 0


def sees_processes():
    """Whether /proc tells of this PID namespace, and not of an outer one, or of nothing."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def namespace_in(start):
    return start >> 32 if start >> 32 >= 0xF0000000 else 0


def start_of(pid):
    """When a process started, in the host's ticks, with the namespace in front; None when it is gone, or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        if fields[0] == b"Z" and fields[17] == b"1":
            return None
        ticks, number = int(fields[19]), namespace()
        return number << 32 | ticks & 0xFFFFFFFF if number else ticks
    except (OSError, IndexError):
        return None


def host_name():
    name = os.fsencode(os.environ.get("SPOOL_HOST", socket.gethostname()))
    if not name or name.startswith(b"."):
        name = b"host" + name
    return re.sub(rb"[^A-Za-z0-9._-]", b"-", name)[:64].decode()


# The log


def read_event(line):
    """The event in a line with its line feed; None when the line isn't whole, or is damaged."""
    body, tail = line[:-21], line[-21:]
    if not re.fullmatch(rb',"crc32":"[0-9a-f]{8}"\}\n', tail) or int(tail[10:18], 16) != zlib.crc32(body):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if all(key in event for key in ("id", "source", "type", "subject", "time", "data")) else None


def end_of_lines(file):
    """Where the last line ends that is whole now. Half a line may follow, and room: spaces that lines are written over."""
    end = os.fstat(file.fileno()).st_size
    while end > 0:
        start = max(0, end - 65536)
        found = os.pread(file.fileno(), end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


# The spool


class Claim:
    """A message in hand: `name` is the token, `message` the object in the file, with its id filled in."""

    def __init__(self, bot, name, message):
        self.bot, self.name, self.message = bot, name, message

    @property
    def token(self):
        return f"{self.bot}/{self.name}"


class Spool:
    def __init__(self, path):
        self.path = path
        try:
            with open(os.path.join(path, "spool.json"), "rb") as file:
                self.settings = parse_json(file.read(65536))
        except (OSError, BadMessage) as error:
            raise NotASpool(f"{path} is no spool: {error}")
        if self.settings.get("nanospool") != 1:
            raise NotASpool(f"{path} has format {self.settings.get('nanospool')}, and this client knows 1")
        self.host = host_name()
        # Without /proc nobody could tell when this process is gone: pid 0 says so.
        start = start_of("self")
        self.holder = f"{self.host}.{os.getpid() if start else 0}.{start or secrets.randbits(32) or 1:x}"
        self.seen = {}  # (bot, name) of claims: modification time, and since when it has stood so
        self.looked = {}  # bot: when its claims were last looked at

    def box(self, bot, box, name=""):
        if not BOT.fullmatch(bot):
            raise NoSuchBot(f"{bot!r} is no name for a bot")
        return os.path.join(self.path, "bots", bot, box, str(name))

    def limits(self, bot):
        """Seconds of a lease, and how often a message is tried."""
        card = {}
        try:
            with open(os.path.join(self.path, "bots", bot, "card.json"), "rb") as file:
                card = parse_json(file.read(262144))
        except (FileNotFoundError, BadMessage):
            pass
        def number(name, usual):
            stated = (place.get(name) for place in (card, self.settings) if isinstance(place, dict))
            return next((value for value in stated if type(value) in (int, float) and value > 0), usual)

        lease, attempts = number("lease_seconds", 60), number("attempts_max", 5)
        return min(max(float(lease), 0.01), 10_000_000), int(min(max(attempts, 1), 9999))

    # Sending

    def send(self, to, content=None, sender=None, sync=False, **members):
        """Drops a message into a bot's inbox, and returns its id."""
        if not os.path.isdir(self.box(to, "inbox")):
            raise NoSuchBot(f"no bot named {to}")
        id = new_id()
        message = {"id": id, "from": sender, "to": to, "content": content, "created_at": rfc3339(time.time()), **members}
        data = write_json({key: value for key, value in message.items() if value is not None}) + b"\n"
        parse_message(data)
        os.makedirs(self.box(to, "tmp"), exist_ok=True)
        # The id alone is not a proper name, so whoever receives it logs it.
        temporary, target = self.box(to, "tmp", f"{id}.json"), self.box(to, "inbox", f"{id}.json")
        with open(temporary, "xb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, target)  # commit: visible from here on
        if sync:
            sync_directory(os.path.dirname(target))
        return id

    def reply(self, claim, content=None, **members):
        """Answers a message, in its conversation."""
        original = claim.message
        members.setdefault("type", "response")
        return self.send(
            original["from"], content, sender=claim.bot, in_reply_to=original["id"],
            conversation=original.get("conversation", original["id"]), **members)

    # Receiving

    def receive(self, bot, wait=0):
        """Claims the most urgent message that is due; None when none came within `wait` seconds."""
        if not os.path.isdir(self.box(bot, "inbox")):
            raise NoSuchBot(f"no bot named {bot}")
        deadline = time.monotonic() + wait
        next_expiry = 0
        while True:
            if time.monotonic() >= next_expiry:
                self.expire(bot)
                next_expiry = time.monotonic() + min(2, self.limits(bot)[0] / 4)
            claim = self.claim(bot)
            if claim or time.monotonic() >= deadline:
                return claim
            time.sleep(min(0.1, max(0, deadline - time.monotonic())))

    def claim(self, bot):
        now, ready = compact(time.time()), []
        for text in os.listdir(self.box(bot, "inbox")):
            name = Name.parse(text)
            if name is None and text.endswith(".json") and len(text) > 5 and not text.startswith("."):
                name = self.name_dropped(self.box(bot, "inbox", text))
            if name and not (name.not_before and name.not_before > now):
                ready.append((name.urgency, name.id, name, text))
        for _, _, name, text in sorted(ready, key=lambda entry: entry[:2]):
            if str(name) != text and self.is_taken(bot, name.id):
                name.id = new_id()
            claim = self.take(bot, name, self.box(bot, "inbox", text))
            if claim:
                return claim
        return None

    def take(self, bot, waiting, source):
        _, attempts_max = self.limits(bot)
        if waiting.attempt >= attempts_max:
            self.move_with_reason(bot, source, self.box(bot, "dead", waiting.waiting()),
                                  f"given up after {waiting.attempt} attempts")
            return None
        name = waiting.held(self.holder, waiting.attempt + 1)
        path = self.box(bot, "claimed", name)
        if not rename(source, path):  # commit: ours from here on
            return None
        try:
            message = parse_message(read_regular(path))
        except (BadMessage, OSError) as error:
            kept = f"{compact(time.time())}-{bot}-{name}"
            self.move_with_reason(bot, path, os.path.join(self.path, "quarantine", kept), str(error))
            return None
        message["id"] = name.id
        claim = Claim(bot, name, message)
        if "expires_at" in message and seconds_of(message["expires_at"]) <= time.time():
            self.bury(claim, f"expired at {message['expires_at']}")
            return None
        return claim

    def is_taken(self, bot, id):
        """Whether a message with this id waits or is in hand: a claim of a second would take its place."""
        names = (Name.parse(text) for box in ("inbox", "claimed") for text in listed(self.box(bot, box)))
        return any(name and name.id == id for name in names)

    def name_dropped(self, path):
        """The proper name for a dropped file. None for what isn't a message yet: `spool` sets it aside if it never is."""
        try:
            message = parse_message(read_regular(path))
        except (BadMessage, OSError):
            return None
        # A name that is an id alone: somebody died while adopting it, and the log may have it already.
        given = (message.get("id"), os.path.basename(path)[: -len(".json")])
        latest = compact(time.time() + 3600)
        id = next((id for id in given if isinstance(id, str) and Name.parse(f"5-{id}.json") and id < latest), new_id())
        try:
            due = compact(seconds_of(message["not_before"])) if "not_before" in message else None
        except (ValueError, OverflowError, OSError):  # a time that no clock shows
            return None
        return Name(10 - priority_of(message), id, 0, None, due)

    def expire(self, bot):
        """Puts back what dead holders had, and what has stood unchanged for a lease by our own clock since boot."""
        lease, attempts_max = self.limits(bot)
        now, seen = time.clock_gettime(time.CLOCK_MONOTONIC), {}
        last, self.looked[bot] = self.looked.get(bot, now), now
        for text in listed(self.box(bot, "claimed")):
            name = Name.parse(text)
            if not name or not name.holder:
                continue
            path = self.box(bot, "claimed", name)
            try:
                modified = os.lstat(path).st_mtime_ns
            except FileNotFoundError:
                continue
            before, since = self.seen.get((bot, text), (None, now))
            # Whoever was stopped, and didn't look, may have been stopped with the holders.
            since += max(0, now - max(since, last) - max(15, lease / 2))
            seen[bot, text] = (modified, since if before == modified else now)
            died = self.is_gone(name.holder)
            if not died and now - seen[bot, text][1] < lease:
                continue
            if name.attempt == 0:
                rename(path, self.box(bot, "inbox", f"{name.id}.json"))
                continue
            why = f"its holder {name.holder} died" if died else f"its lease of {lease} s ran out"
            try:
                self.requeue(bot, name, why, 0, attempts_max)
            except ClaimLost:
                pass
        self.seen = {key: value for key, value in self.seen.items() if key[0] != bot} | seen

    def is_gone(self, holder):
        host, pid, start = holder.rsplit(".", 2)
        if host != self.host or pid == "0" or not sees_processes() or namespace_in(int(start, 16)) != namespace():
            return False
        return start_of(int(pid)) != int(start, 16)

    # Settling

    def extend(self, claim):
        """Renews the lease."""
        try:
            os.utime(self.box(claim.bot, "claimed", claim.name), follow_symlinks=False)
        except FileNotFoundError:
            raise ClaimLost(claim.token)

    def ack(self, claim):
        """The work is done. The command's log hears of it when `spool` next looks at this bot."""
        if not rename(self.box(claim.bot, "claimed", claim.name), self.box(claim.bot, "done", claim.name)):  # commit
            raise ClaimLost(claim.token)

    def nack(self, claim, delay=0, reason="nacked"):
        """Puts the message back, or gives it up after its last attempt."""
        self.requeue(claim.bot, claim.name, reason, delay, self.limits(claim.bot)[1])

    def bury(self, claim, reason):
        """Gives the message up: into dead/, its reason beside it."""
        path, target = self.box(claim.bot, "claimed", claim.name), self.box(claim.bot, "dead", claim.name.waiting())
        if not self.move_with_reason(claim.bot, path, target, reason):
            raise ClaimLost(claim.token)

    def requeue(self, bot, name, reason, delay, attempts_max):
        if name.attempt >= attempts_max:
            self.bury(Claim(bot, name, None), f"given up after {name.attempt} attempts; the last: {reason}")
            return
        waiting = name.waiting(compact(time.time() + delay) if delay > 0 else None)
        if not rename(self.box(bot, "claimed", name), self.box(bot, "inbox", waiting)):  # commit
            raise ClaimLost(f"{bot}/{name}")

    def move_with_reason(self, bot, path, target, reason):
        if not os.path.lexists(path):
            return False
        about = {"reason": reason, "bot": bot, "at": rfc3339(time.time()), "by": self.holder}
        temporary = os.path.join(self.path, "tmp", f"{self.holder}-{secrets.token_hex(4)}")
        with open(temporary, "xb") as file:
            file.write(write_json(about) + b"\n")
        rename(temporary, target + ".reason")
        if rename(path, target):  # commit
            return True
        os.unlink(target + ".reason")
        return False

    # What the log tells

    def segments(self):
        """The paths of all hosts' segments, each host's in order."""
        for host in sorted(listed(os.path.join(self.path, "log"))):
            for name in sorted(listed(os.path.join(self.path, "log", host))):
                if re.fullmatch(TIME + r"\.jsonl", name):
                    yield os.path.join(self.path, "log", host, name)

    def lines(self):
        """Each whole line of the log with where it stands: (path, offset, bytes)."""
        for path in self.segments():
            offset = 0
            with open(path, "rb") as file:
                end = end_of_lines(file)
                while offset < end:
                    line = file.readline()
                    yield path, offset, line
                    offset += len(line)

    def events(self):
        """All events by time; damaged lines are left out."""
        return sorted(filter(None, (read_event(line) for _, _, line in self.lines())), key=lambda event: event["time"])

    def trace(self, id):
        """Everything that ever happened to a message."""
        return [event for event in self.events() if event["subject"] == id]


def rename(old, new):
    """Whether the rename was ours: False when somebody else was first. Of a bot's directories only inbox/ must be there."""
    os.makedirs(os.path.dirname(new), exist_ok=True)
    try:
        os.rename(old, new)
        return True
    except FileNotFoundError:
        return False


def listed(path):
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_regular(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadMessage("not a regular file")
        return file.read(MESSAGE_BYTES_MAX + 2).removesuffix(b"\n")


def sync_directory(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main(arguments):
    if len(arguments) == 3 and arguments[1] == "trace":
        events = Spool(arguments[0]).trace(arguments[2])
    elif len(arguments) == 2 and arguments[1] == "log":
        events = Spool(arguments[0]).events()
    else:
        print("usage: nanospool.py SPOOL log | SPOOL trace ID", file=sys.stderr)
        return 64
    for event in events:
        print(event["time"], event["type"], event["subject"], json.dumps(event["data"], ensure_ascii=False))
    return 0 if events else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
