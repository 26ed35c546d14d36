"""What is tried on two hosts, each scenario a function whose name says what must hold; and the start of all. See run.sh."""
import collections
import json
import os
import sys
import time
import traceback

import doctors  # noqa: F401, for its scenarios
import figures
import tasks  # noqa: F401
import users  # noqa: F401
from crew import Crew
from lab import SCENARIOS, SERVED, SHARED, Hosts, boxes, nfs_scenario, now, restart_server, scenario, wait_for


# Messages


@scenario
def a_message_from_one_host_reaches_a_bot_on_the_other(hosts):
    hosts.fresh("alice", "bob")
    waiting = hosts.b.start_spool("receive", "bob", "--wait", "20s", "--ack")
    time.sleep(0.5)
    id = hosts.a.spool("send", "bob", "hello", "--from", "alice")
    assert waiting.communicate()[0].endswith("hello\n")
    for host in hosts:
        kinds = [event["type"] for event in host.json("trace", id)]
        assert kinds == ["message.sent", "message.claimed", "message.acked"], f"{host.letter}: {kinds}"


@scenario
def a_worker_answers_a_request_of_the_other_host(hosts):
    hosts.fresh("alice", "bob")
    worker = hosts.b.start_spool("work", "bob", "--max", "2", "--", "sh", "-c", "cat >/dev/null; echo answer")
    for _ in range(2):
        answer = hosts.a.spool("request", "bob", "question", "--from", "alice", "--wait", "20s")
        assert answer.endswith("answer"), answer
    assert worker.wait(20) == 0, worker.communicate()


@scenario
def what_was_missing_a_moment_ago_is_found_when_the_other_host_has_made_it(hosts):
    hosts.fresh("alice")
    for name in ("x", "y"):
        hosts.b.spool("send", name, "too early", ok=(67,))
        hosts.b.spool("state", "get", name, ok=(1,))
        hosts.b.spool("thread", name, ok=None)
        hosts.a.spool("register", name)
        hosts.a.spool("state", "set", name, "1")
        hosts.b.spool("send", name, "now")
        assert "1" in hosts.b.spool("state", "get", name)
        assert hosts.a.spool("receive", name, "--ack").endswith("now")


@scenario
def a_claim_that_is_renewed_on_one_host_never_expires_on_the_other(hosts):
    lease = 2
    hosts.fresh("bob", lease=lease)
    hosts.a.spool("send", "bob", "long work")
    claim = hosts.a.json("receive", "bob")[0]["claim"]
    taker = hosts.b.start_spool("receive", "bob", "--wait", "60s", "--json")
    began = renewed = now()
    while now() < began + 4 * lease:
        hosts.a.spool("extend", claim)
        renewed = now()
        time.sleep(lease / 2)
    assert taker.poll() is None, f"taken while it was renewed: {taker.communicate()}"
    output = taker.communicate()[0]
    took = now() - renewed
    assert json.loads(output)["attempt"] == 2
    assert lease <= took < 3 * lease, f"handed on after {took:.1f} s"
    # Late is refused, on the host where it was claimed as anywhere, and changes nothing for the new holder.
    hosts.a.spool("extend", claim, ok=(3,))
    hosts.a.spool("ack", claim, ok=(3,))
    hosts.b.spool("ack", json.loads(output)["claim"])
    assert boxes("bob", "inbox", "claimed", "dead") == {"inbox": [], "claimed": [], "dead": []}


@scenario
def wall_clocks_that_are_a_minute_off_expire_nothing_and_show_the_living(hosts):
    lease = 2
    hosts.fresh("alice", "bob", lease=lease)
    for off in (150, -150):
        hosts.b.clock_off = off
        hosts.a.clock_off = -off
        clocks = [check["found"] for check in hosts.b.json("doctor", ok=(1,)) if check.get("storage") == "clock"]
        assert clocks and clocks[0].startswith(("149.", "150.")), f"the clock isn't off: {clocks}"
        worker = hosts.b.start_spool("work", "bob", "--", "sh", "-c", f"cat >/dev/null; sleep {3 * lease}; echo done")
        wait_for(lambda: [each for each in hosts.a.json("bots") if each["name"] == "bob" and each["running"]], 10, "seen")
        id = hosts.a.spool("send", "bob", "long", "--from", "alice")
        wait_for(lambda: boxes("bob", "claimed")["claimed"], 10, "begun")
        taker = hosts.a.start_spool("receive", "bob", "--wait", f"{4 * lease}s", "--json")
        answer = hosts.a.spool("receive", "alice", "--wait", "30s", "--ack")
        assert answer.endswith("done"), answer
        assert taker.wait(60) == 1, f"handed out twice with the clock {off} s off: {taker.communicate()}"
        events = [event["type"] for event in hosts.a.json("trace", id)]
        assert sorted(events) == ["message.acked", "message.claimed", "message.sent"], events
        worker.terminate()
        hosts.b.kill_processes()


@scenario
def bots_on_both_hosts_compete_for_one_inbox_and_each_message_is_handed_once(hosts):
    hosts.fresh("bob", "alice")
    count = 40
    output = [f"/mnt/t/handed.{host.letter}.{time.monotonic_ns()}" for host in hosts]
    workers = [host.start_spool("work", "bob", "--slots", "2", "--no-reply", "--",
                                "sh", "-c", f"cat >> {path}; sleep 0.05") for host, path in zip(hosts, output)]
    time.sleep(1)
    sender = "for i in $(seq %d); do $SPOOL send bob \"$HOST $i\" >/dev/null || echo failed; done"
    senders = [host.start("sh", "-c", sender % (count // 2)) for host in hosts]
    for each in senders:
        assert each.communicate(timeout=60)[0] == ""
    handed = []

    def all_are_done():
        del handed[:]
        for path in output:
            if os.path.exists(path):
                with open(path) as file:
                    handed.append([json.loads(line)["content"] for line in file])
        return sum(map(len, handed)) >= count and boxes("bob", "inbox", "claimed") == {"inbox": [], "claimed": []}

    wait_for(all_are_done, 30, "all done")
    counts = collections.Counter(sum(handed, []))
    assert len(counts) == count and set(counts.values()) == {1}, counts
    assert min(map(len, handed)) > 0, "one host had nothing"
    for worker in workers:
        worker.terminate()
    stats = hosts.b.spool("log", "--json", "--limit", "1000").splitlines()
    acked = collections.Counter(json.loads(line)["subject"] for line in stats if "message.acked" in line)
    assert len(acked) == count and set(acked.values()) == {1}


@scenario
def a_host_dies_in_the_middle_and_clients_of_both_see_what_they_should(hosts):
    lease = 2
    crew = Crew(hosts, lease)
    hosts.fresh("a", "b", "c", lease=lease)
    path = f"{SERVED}/spool/spool.json"
    with open(path) as file:
        settings = json.load(file)
    with open(path, "w") as file:
        json.dump({**settings, "attempts_max": 9999}, file)
    roles = ["sender", "keyed-sender", "python-sender", "receiver", "worker"]
    for host in hosts:
        for role in roles:
            crew.start(host, role)
    time.sleep(10)
    crew.kill_host(hosts.b)
    time.sleep(3)
    hosts.b.boot()
    for role in roles:
        crew.start(hosts.b, role)
    time.sleep(6)
    crew.stop()
    crew.drain(hosts.a)
    faults, counts = crew.verdict()
    print("  " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    assert not faults, "; ".join(map(str, faults[:10]))
    assert counts["acked"] > 20, "too little happened"
    assert_healthy(hosts)


@nfs_scenario
def senders_wait_for_what_was_granted_to_a_host_that_died_and_none_fails(hosts):
    """It may keep what it has read, until the server takes that back, when the host's lease is over (10 s here)."""
    hosts.fresh("alice", "bob")
    hosts.a.spool("send", "bob", "first")
    log = f"{SHARED}/spool/log/{hosts.a.hostname}"
    hosts.b.run("sh", "-c", f"cat {log}/*.jsonl >/dev/null")
    granted = server_grants()
    hosts.b.kill()
    began = now()
    senders = [hosts.a.start_spool("send", "bob", str(number), "--from", "alice") for number in range(4)]
    for sender in senders:
        error = sender.communicate(timeout=60)[1]
        assert sender.returncode == 0, error
    print(f"  with {granted} grants to both hosts four senders waited {now() - began:.1f} s")
    hosts.b.boot()
    assert len(boxes("bob", "inbox")["inbox"]) == 5


@nfs_scenario
def the_server_is_restarted_in_the_middle_and_nothing_is_lost_or_doubled(hosts):
    hosts.fresh("bob", "alice")
    path = f"/mnt/t/handed.{time.monotonic_ns()}"
    worker = hosts.b.start_spool("work", "bob", "--no-reply", "--", "sh", "-c", f"cat >> {path}")
    sender = hosts.a.start("sh", "-c", "for i in $(seq 30); do $SPOOL send bob $i >/dev/null || echo failed $i; done")
    for _ in range(3):
        time.sleep(1)
        restart_server()
    assert sender.communicate(timeout=90)[0] == ""
    wait_for(lambda: boxes("bob", "inbox", "claimed") == {"inbox": [], "claimed": []}, 60, "all done")
    time.sleep(0.5)
    with open(path) as file:
        handed = collections.Counter(json.loads(line)["content"] for line in file)
    assert handed == {str(i): 1 for i in range(1, 31)}, handed
    worker.terminate()
    assert_healthy(hosts)


def server_grants():
    """Delegations of files, RFC 8881 section 10.2, that its clients have."""
    clients = "/proc/fs/nfsd/clients"
    texts = []
    for client in os.listdir(clients):
        with open(f"{clients}/{client}/states") as file:
            texts.append(file.read())
    return "".join(texts).count("type: deleg")


def assert_healthy(hosts):
    """What died left something to be mended, each host's by that host; after that neither finds anything."""
    for host in hosts:
        host.spool("doctor", "--repair", limit=120)
    for host in hosts:
        wait_for(lambda: host.run(os.environ["SPOOL"], "doctor", ok=None, limit=120).returncode == 0, 30,
                 f"all well: {host.spool('doctor', ok=None)[-600:]}")


# The log


@scenario
def every_host_reads_the_logs_of_all_in_order_of_time(hosts):
    hosts.fresh("alice", "bob")
    follower = hosts.b.start("sh", "-c", "timeout 8 $SPOOL log --follow --limit 1 --json")
    time.sleep(1)
    first = hosts.a.spool("send", "bob", "the parser is slow", "--from", "alice")
    reply = hosts.b.spool("send", "alice", "the parser is fast now", "--from", "bob", "--reply-to", first, ok=None)
    if len(reply) < 20:
        reply = hosts.b.spool("reply", first, "the parser is fast now", "--from", "bob").split()[0]
    last = hosts.a.spool("send", "bob", "thanks, parser", "--from", "alice")
    for host in hosts:
        found = [event["subject"] for event in host.json("search", "parser")]
        assert found == [last, reply, first], f"{host.letter}: {found}"
        times = [event["time"] for event in host.json("log", "--since", "1h")]
        assert times == sorted(times) and len(times) >= 5
        assert "parser is slow" in host.spool("thread", first) and "fast now" in host.spool("thread", first)
        assert "3" in host.spool("stats")
    followed = [json.loads(line)["subject"] for line in follower.communicate()[0].splitlines()]
    assert [id for id in followed if id in (first, reply, last)] == [first, reply, last], followed


@scenario
def a_host_that_joins_a_spool_in_use_restores_nothing_that_was_done(hosts):
    hosts.fresh("alice", "bob")
    hosts.a.run("sh", "-c", "for i in 1 2 3 4 5 6; do $SPOOL send bob $i >/dev/null; done")
    worker = hosts.a.start_spool("work", "bob", "--no-reply", "--", "sh", "-c", "cat >/dev/null; sleep 0.1")
    busy = hosts.a.start("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do $SPOOL send bob more$i >/dev/null; done")
    time.sleep(0.3)
    hosts.b.spool("bots")
    busy.wait(30)
    wait_for(lambda: boxes("bob", "inbox", "claimed") == {"inbox": [], "claimed": []}, 30, "all done")
    worker.terminate()
    kinds = collections.Counter(event["type"] for event in hosts.a.json("log", "--limit", "1000"))
    assert kinds["message.restored"] == 0 and kinds["message.acked"] == 16, kinds


# What else is shared


@scenario
def values_and_groups_of_values_are_seen_by_the_other_host(hosts):
    hosts.fresh("alice")
    watcher = hosts.b.start("sh", "-c", "timeout 10 $SPOOL state watch --json")
    time.sleep(1)
    for value in range(3):
        (hosts.a if value % 2 else hosts.b).spool("state", "set", "light", str(value))
        time.sleep(0.7)
    for host in hosts:
        assert json.loads(host.spool("state", "get", "light", "--json"))["value"] == 2
    seen = [json.loads(line)["value"] for line in watcher.communicate()[0].splitlines()]
    assert seen == [0, 1, 2], seen


@scenario
def increments_of_both_hosts_at_once_are_all_counted(hosts):
    hosts.fresh("alice")
    hosts.a.spool("state", "set", "count", "0")
    loop = ("i=0; while [ $i -lt 10 ]; do v=$($SPOOL state get count --json | sed 's/.*\"value\":\\([0-9]*\\).*\"version\":"
            "\\([0-9]*\\).*/\\1 \\2/'); set -- $v; $SPOOL state cas count $(($1 + 1)) --version $2 >/dev/null 2>&1 "
            "&& i=$((i + 1)); done")
    both = [host.start("sh", "-c", loop) for host in hosts]
    for each in both:
        assert each.wait(60) == 0, each.communicate()
    value = json.loads(hosts.b.spool("state", "get", "count", "--json"))
    assert value["value"] == 20, f"{value}: {hosts.a.spool('state', 'history', 'count')}"


@scenario
def a_card_that_is_replaced_again_and_again_is_read_whole(hosts):
    hosts.fresh("alice", "bob")
    writer = hosts.a.start("sh", "-c", "for i in $(seq 15); do $SPOOL register bob --skill s$i --replace >/dev/null 2>&1 "
                                       "|| $SPOOL register bob --skill s$i >/dev/null; done")
    while writer.poll() is None:
        hosts.b.spool("bots")
        hosts.b.spool("send", "bob", "x")
    assert writer.returncode == 0
    with open(f"{SERVED}/spool/bots/bob/card.json") as file:
        assert json.load(file)["skills"]


@scenario
def two_machines_of_one_name_have_logs_and_claims_of_their_own(hosts):
    hosts.fresh("bob")
    for host in hosts:
        host.run("hostname", "twin")
    try:
        ids = [host.spool("send", "bob", f"from {host.letter}") for host in hosts]
        # The first has the name. Whoever took the other's process for dead would put its claim back at once.
        worker = hosts.a.start_spool("work", "bob", "--max", "1", "--no-reply", "--", "sh", "-c", "cat; sleep 4")
        wait_for(lambda: boxes("bob", "claimed")["claimed"], 10, "claimed")
        first = boxes("bob", "claimed")["claimed"]
        got = hosts.b.json("receive", "bob", "--wait", "2s")[0]
        assert boxes("bob", "claimed")["claimed"][0] == first[0], "it was taken from the living"
        assert {got["message"]["id"], first[0][2:42]} == set(ids) and worker.wait(20) == 0
        logs = sorted(name for name in os.listdir(f"{SERVED}/spool/log") if name.startswith("twin"))
        assert len(logs) == 2 and logs[0] == "twin" and logs[1].startswith("twin-"), logs
        said = hosts.b.spool("doctor", ok=None)
        assert "twin" in said and "SPOOL_HOST" in said, said
    finally:
        for host in hosts:
            host.run("hostname", host.hostname)


@scenario
def what_a_network_file_system_leaves_behind_is_no_message(hosts):
    hosts.fresh("bob")
    for box in ("inbox", "claimed", "tmp", "presence"):
        with open(f"{SERVED}/spool/bots/bob/{box}/.nfs000000000000002a00000001", "w") as file:
            file.write("{")
    for path in ("tasks/pending", "topics", "log", "keys", "state"):
        with open(f"{SERVED}/spool/{path}/.nfs000000000000002a00000002", "w") as file:
            file.write("{")
    hosts.b.spool("receive", "bob", ok=(1,))
    hosts.b.spool("send", "team", "hello", "--from", "x", ok=None)
    hosts.b.spool("task", "list", ok=(0, 1))
    said = hosts.b.spool("doctor", ok=None)
    assert "all is well" in said or "nothing to repair" in said, said


def main(names):
    if names[:1] == ["figures"]:
        figures.measure(Hosts(), names[1:])
        return print("1 passed, 0 failed", flush=True)
    wanted = [each for each in SCENARIOS if not names or any(name in each.__name__ for name in names)]
    hosts = Hosts()
    passed = failed = 0
    for each in wanted:
        began = now()
        try:
            hosts.mend()
            each(hosts)
            passed += 1
            print(f"passed {each.__name__.replace('_', ' ')} ({now() - began:.1f} s)", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED {each.__name__.replace('_', ' ')} ({now() - began:.1f} s): {error}", flush=True)
            if not isinstance(error, AssertionError):
                traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
