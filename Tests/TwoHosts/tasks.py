"""Tasks whose coordinator and workers are on both hosts."""
import collections
import os
import time

from lab import SERVED, now, scenario, wait_for


@scenario
def tasks_with_workers_on_both_hosts_and_a_coordinator_on_one_are_done_once_each(hosts):
    lease = 4
    hosts.fresh("one", "two", lease=lease)
    coordinator = hosts.a.start_spool("coordinate")
    workers = [hosts.a.start_spool("work", "one", "--tasks", "--", "sh", "-c", "cat >/dev/null; echo done by one"),
               hosts.b.start_spool("work", "two", "--tasks", "--", "sh", "-c", "cat >/dev/null; sleep 0.1; echo by two")]
    time.sleep(1)
    ids = [hosts.a.spool("task", "add", f"job {i}") for i in range(6)]
    ids += [hosts.b.spool("task", "add", f"job {i}") for i in range(6)]
    last = hosts.b.spool("task", "add", "the last", "--after", ",".join(ids[:3]), ok=None)
    if len(last) > 20:
        ids.append(last)
    hosts.b.spool("task", "wait", *ids, "--timeout", "120s", ok=(0, 64), limit=150)
    wait_for(lambda: len(boxes_of_tasks("completed")) == len(ids), 60, f"all completed: {boxes_of_tasks()}")
    completed = collections.Counter(event["subject"] for event in hosts.b.json("log", "--limit", "1000")
                                    if event["type"] == "task.completed")
    assert set(completed) == set(ids) and set(completed.values()) == {1}, completed
    for each in workers + [coordinator]:
        each.terminate()


def boxes_of_tasks(state=None):
    if state:
        return [name for name in os.listdir(f"{SERVED}/spool/tasks/{state}") if name.endswith(".json")]
    return {state: len(boxes_of_tasks(state)) for state in ("pending", "assigned", "in_progress", "blocked", "completed")}


@scenario
def a_task_of_a_host_that_died_is_given_to_another_when_its_lease_is_over(hosts):
    lease = 3
    hosts.fresh("one", "two", lease=lease)
    hosts.a.start_spool("coordinate")
    hosts.b.start_spool("work", "two", "--tasks", "--", "sh", "-c", "cat >/dev/null; sleep 60")
    time.sleep(1)
    id = hosts.a.spool("task", "add", "long", "--to", "two", ok=None)
    wait_for(lambda: boxes_of_tasks("in_progress"), 20, "begun")
    hosts.b.kill()
    died = now()
    entry = wait_for(lambda: boxes_of_tasks("pending") or boxes_of_tasks("assigned"), 10 * lease, "taken back")
    took = now() - died
    assert took >= lease - 1, f"taken from the living after {took:.1f} s: {entry}"
    hosts.b.boot()
    hosts.b.start_spool("work", "two", "--tasks", "--", "sh", "-c", "cat >/dev/null; echo done")
    wait_for(lambda: boxes_of_tasks("completed"), 40, f"done in the end: {boxes_of_tasks()}")
    kinds = [event["type"] for event in hosts.a.json("trace", id)]
    assert kinds.count("task.completed") == 1 and "task.expired" in kinds, kinds
