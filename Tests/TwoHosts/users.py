"""A spool that several Unix users share, each with processes on both hosts."""
import collections
import json
import os
import time

from lab import SERVED, boxes, now, scenario, wait_for

ADA, BOB, EVE, ADMINISTRATOR = 48001, 48002, 48003, 48004
NAMES = {ADA: "ada", BOB: "bob", EVE: "eve"}


class Stage:
    def __init__(self, hosts, lease=None, bots=(ADA, BOB, EVE), durability="relaxed"):
        hosts.fresh(lease=lease, administrator=ADMINISTRATOR, durability=durability)
        self.hosts = hosts
        for number in bots:
            hosts.a.user(number).spool("register", f"{NAMES[number]}-bot")

    def __getattr__(self, name):
        """`ada_b` is ada on host b."""
        user, letter = name.split("_")
        return getattr(self.hosts, letter).user(next(number for number in NAMES if NAMES[number] == user))

    def each(self):
        return [getattr(self, f"{name}_{letter}") for name in NAMES.values() for letter in "ab"]

    def assert_healthy(self):
        """What died left something to be mended, each user's by that user."""
        for user in self.each():
            user.spool("doctor", "--repair", limit=120, ok=(0, 1))
        for user in self.each():
            said = user.run(os.environ["SPOOL"], "doctor", ok=None, limit=120)
            assert said.returncode == 0, f"{user.number} on {user.host.letter}: {said.stdout[-600:]}"


@scenario
def messages_between_users_on_two_hosts_are_verified_and_others_are_kept_out(hosts):
    stage = Stage(hosts)
    # From each host to each, whatever host a bot was registered on.
    for sender in (stage.bob_a, stage.bob_b):
        for receiver in (stage.ada_a, stage.ada_b):
            id = sender.spool("send", "ada-bot", "hello", "--from", "bob-bot")
            got = receiver.json("receive", "ada-bot", "--wait", "10s", "--ack")[0]
            assert got["message"]["id"] == id and got["from_verified"] is True and got["from_user"] == str(BOB), got
            for reader in (stage.eve_a, stage.eve_b):
                events = [(event["type"], event["user"]) for event in reader.json("trace", id)]
                assert events == [("message.sent", str(BOB)), ("message.claimed", str(ADA)), ("message.acked", str(ADA))], events
    forged = stage.ada_b.spool("send", "bob-bot", "from bob himself?", "--from", "bob-bot")
    got = stage.bob_a.json("receive", "bob-bot", "--wait", "10s", "--ack")[0]
    assert got["message"]["id"] == forged and got["from_verified"] is False and got["from_user"] == str(ADA), got
    parts = {name for name in os.listdir(f"{SERVED}/spool/log") if "~" in name}
    assert {f"host{letter}~{number}" for letter in "ab" for number in (ADA, BOB)} <= parts, parts

    stage.bob_a.spool("send", "ada-bot", "waiting", "--from", "bob-bot")
    waiting = boxes("ada-bot", "inbox")["inbox"][0]
    stage.bob_b.spool("receive", "ada-bot", ok=(77,))
    claimed = stage.ada_a.json("receive", "ada-bot")[0]["claim"]
    stage.bob_a.spool("send", "ada-bot", "waiting still", "--from", "bob-bot")
    waiting = boxes("ada-bot", "inbox")["inbox"][0]
    # What others can't do, from either host: bob's own message in ada's inbox is still his.
    refused = ("ls bots/ada-bot/inbox", "ls bots/ada-bot/claimed", "ls bots/ada-bot/senders",
               f"echo x >> bots/ada-bot/inbox/{waiting}", f"rm -f bots/ada-bot/inbox/{waiting}",
               f"mv bots/ada-bot/inbox/{waiting} bots/eve-bot/inbox/", f"touch bots/ada-bot/inbox/{waiting}",
               "echo '{}' > bots/ada-bot/card.json", f"echo x >> log/hosta~{ADA}/machine",
               f"mkdir log/hosta~{BOB}/x", "mv bots/ada-bot bots/x")
    script = "cd spool || exit; " + "; ".join(f"({each}) 2>&1 >/dev/null && echo went through: '{each}'".replace("'{}'", "{}")
                                              for each in refused)
    for stranger in (stage.eve_a, stage.eve_b):
        said = stranger.run("sh", "-c", f"{script}; echo tried").stdout
        assert "went through" not in said and said.endswith("tried\n") and said.count("denied") + said.count(
            "not permitted") >= len(refused), said
        stranger.spool("ack", claimed, ok=(3, 65, 67, 77))
    assert boxes("ada-bot", "inbox")["inbox"] == [waiting]
    stage.ada_b.spool("ack", claimed)
    assert stage.ada_b.json("receive", "ada-bot", "--ack")[0]["message"]["content"] == "waiting still"
    stage.assert_healthy()


@scenario
def processes_of_one_user_on_two_hosts_compete_for_what_others_sent_and_each_message_is_handed_once(hosts):
    stage = Stage(hosts, bots=(ADA, BOB))
    count = 24
    work = "read -r line; echo \"$SPOOL_FROM_VERIFIED $SPOOL_FROM_USER $line\" >> {}; sleep 0.05"
    output = [f"/mnt/t/handed.{letter}.{time.monotonic_ns()}" for letter in "ab"]
    workers = [user.start_spool("work", "ada-bot", "--slots", "2", "--no-reply", "--", "sh", "-c", work.format(path))
               for user, path in zip((stage.ada_a, stage.ada_b), output)]
    for path in output:
        open(path, "w").close()
        os.chmod(path, 0o666)
    time.sleep(1)
    loop = f"for i in $(seq {count // 2}); do $SPOOL send ada-bot \"$HOST $i\" --from bob-bot >/dev/null || echo failed; done"
    senders = [user.start("sh", "-c", loop) for user in (stage.bob_a, stage.bob_b)]
    for each in senders:
        said = each.communicate(timeout=60)
        assert said[0] == "", said
    empty = {"inbox": [], "claimed": []}

    def handed():
        lines = []
        for path in output:
            with open(path) as file:
                lines.append([line.split(" ", 2) for line in file])
        return lines

    wait_for(lambda: sum(map(len, handed())) >= count and boxes("ada-bot", "inbox", "claimed") == empty, 40, "all done")
    lines = handed()
    counts = collections.Counter(json.loads(text)["content"] for verified, user, text in sum(lines, []))
    assert len(counts) == count and set(counts.values()) == {1}, counts
    assert {(verified, user) for verified, user, _ in sum(lines, [])} == {("true", str(BOB))}, lines
    assert min(map(len, lines)) > 0, "one host had nothing"
    wait_for(lambda: not os.listdir(f"{SERVED}/spool/bots/ada-bot/senders"), 10, "who sent them forgotten")
    for worker in workers:
        worker.terminate()


@scenario
def tasks_are_done_by_bots_of_two_users_on_two_hosts_with_a_third_ones_coordinator(hosts):
    stage = Stage(hosts, bots=(ADA, BOB))
    running = [stage.eve_a.start_spool("coordinate")]
    for user, name in ((stage.ada_a, "ada"), (stage.bob_b, "bob")):
        running.append(user.start_spool("work", f"{name}-bot", "--tasks", "--", "sh", "-c", "cat >/dev/null; echo by $(id -u)"))
    time.sleep(1.5)
    ids = [(stage.bob_a if i % 2 else stage.ada_b).spool("task", "add", f"job {i}") for i in range(8)]
    first = stage.eve_b.spool("task", "add", "of bob", "--to", "bob-bot")
    ids += [first, stage.eve_b.spool("task", "add", "after it", "--depends-on", first, "--to", "ada-bot")]
    stage.eve_b.spool("task", "wait", *ids, "--timeout", "120s", limit=150, ok=(0, 1))
    for each in running:
        assert each.poll() is None, f"{each.args[-4:]} ended: {each.communicate()}"
    by = collections.Counter()
    for id in ids:
        shown = stage.bob_a.json("task", "show", id)[0]
        assert shown["state"] == "completed", shown
        by[shown["result"].strip()] += 1
    assert set(by) == {f"by {ADA}", f"by {BOB}"}, by
    events = stage.ada_b.json("log", "--limit", "1000")
    completed = collections.Counter(event["subject"] for event in events if event["type"] == "task.completed")
    assert set(completed) == set(ids) and set(completed.values()) == {1}, completed
    again = [event for event in events if event["type"] in ("task.retried", "task.expired", "task.failed", "task.released")]
    assert not again, again
    for each in running:
        each.terminate()


@scenario
def what_two_users_had_in_hand_on_a_host_that_died_is_handed_on_and_is_from_whom_it_was(hosts):
    lease = 3
    stage = Stage(hosts, lease=lease, durability="durable")
    for user, name in ((stage.ada_b, "ada"), (stage.bob_b, "bob")):
        user.start_spool("work", f"{name}-bot", "--no-reply", "--", "sh", "-c", "cat >/dev/null; sleep 60")
    time.sleep(1)
    sent = {name: stage.eve_b.spool("send", f"{name}-bot", "long", "--from", "eve-bot") for name in ("ada", "bob")}
    wait_for(lambda: all(boxes(f"{name}-bot", "claimed")["claimed"] for name in sent), 20, "in hand")
    takers = {name: getattr(stage, f"{name}_a").start_spool("receive", f"{name}-bot", "--wait", "60s", "--ack", "--json")
              for name in sent}
    # More that was sent from the host that dies, and waits.
    more = stage.eve_b.spool("send", "ada-bot,bob-bot", "more", "--from", "eve-bot")
    got = {name: json.loads(taker.communicate(timeout=90)[0]) for name, taker in takers.items()}
    assert {each["message"]["id"] for each in got.values()} == {more}, got
    hosts.b.kill()
    died = now()
    takers = {name: getattr(stage, f"{name}_a").start_spool("receive", f"{name}-bot", "--wait", "60s", "--ack", "--json")
              for name in sent}
    for name, taker in takers.items():
        got = json.loads(taker.communicate(timeout=90)[0])
        assert got["message"]["id"] == sent[name] and got["attempt"] == 2, got
        assert got["from_verified"] is True and got["from_user"] == str(EVE), got
    assert now() - died >= lease - 1.5, "taken from the living"
    hosts.b.boot()
    for user in stage.each():
        user.spool("bots")
    for name in sent:
        assert boxes(f"{name}-bot", "inbox", "claimed", "dead") == {"inbox": [], "claimed": [], "dead": []}
    stage.assert_healthy()
