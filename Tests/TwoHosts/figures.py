"""What is measured on two hosts:  SPOOL=.build/release/spool LIMIT=900 Tests/TwoHosts/run.sh figures [noticed] [idle]

How soon a message sent on one host is begun on the other, busy and idle; and what 100 idle bots of a host cost, in processor
time of that host's processes and of its kernel's work for them, as the lab's one processor counts it, which is slower than the
machine's: how much, the same work says that is done by both (speed.c)."""
import os
import subprocess
import time

from lab import LAB, now


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def noticed(hosts, name, gaps):
    """Seconds from just before `send` begins until the program that gets the message writes down the time."""
    path = f"/mnt/t/noticed.{time.monotonic_ns()}"
    worker = hosts.b.start_spool(
        "work", "bob", "--no-reply", "--stream", "--", "python3", "-uc",
        "import json,sys,time\nfor line in sys.stdin:\n    at=time.clock_gettime(time.CLOCK_BOOTTIME)\n"
        f"    open('{path}','a').write('%s %s\\n'%(json.loads(line)['content'],at))\n    print('{{}}')")
    time.sleep(3)
    delays = []
    for gap in gaps:
        time.sleep(gap)
        hosts.a.spool("send", "bob", repr(now()))
    time.sleep(5)
    with open(path) as file:
        delays = [float(line.split()[1]) - float(line.split()[0]) for line in file]
    assert len(delays) == len(gaps), (len(delays), len(gaps))
    worker.terminate()
    hosts.b.kill_processes()
    print(f"figure: {name}: p50 {percentile(delays, .5):.2f} s, p99 {percentile(delays, .99):.2f} s, of {len(delays)}", flush=True)


def busy_seconds():
    """Of all processes and of the kernel, since boot: everything but idle and waiting."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def idle_bots(hosts, count, seconds, settle):
    hosts.fresh(*[f"bot{number}" for number in range(count)])
    host = hosts.b
    loop = f"for i in $(seq 0 {count - 1}); do $SPOOL work bot$i -- cat >/dev/null 2>&1 & done; wait"
    host.start("sh", "-c", loop)
    time.sleep(settle)

    def of_processes():
        total = 0
        for pid in host.processes():
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    running = len([pid for pid in host.processes()])
    before, all_before, began = of_processes(), busy_seconds(), now()
    time.sleep(seconds)
    took = now() - began
    share, whole = (of_processes() - before) / took, (busy_seconds() - all_before) / took
    host.kill_processes()
    print(f"figure: {running} processes of {count} idle bots: {100 * share:.2f} % of the processor in their own time, "
          f"{100 * whole:.2f} % with the client's kernel, the network and the server", flush=True)
    return share, whole


def slowness():
    """How many times longer than on the machine itself plain computing and the look of an idle bot take here."""
    os.makedirs("/mnt/t/empty", exist_ok=True)
    output = subprocess.run([f"{LAB}/speed", "/mnt/t/empty"], capture_output=True, text=True, check=True).stdout
    here, machine = map(float, output.split()), map(float, os.environ["SPEED"].split(","))
    names = ("a step of computing", "a system call that does nothing", "a look at an empty directory")
    ratios = []
    for name, slow, fast in zip(names, here, machine):
        ratios.append(slow / fast)
        print(f"figure: {name}: {slow:.1f} ns of the lab's processor, {fast:.1f} ns of the machine's: {slow / fast:.1f} times", flush=True)
    return ratios[0], ratios[2]


def measure(hosts, parts):
    if not parts or "noticed" in parts:
        measure_noticed(hosts)
    if not parts or "idle" in parts:
        measure_idle(hosts)


def measure_noticed(hosts):
    hosts.fresh("alice", "bob")
    noticed(hosts, "a message every quarter of a second", [0.1] * 100)
    noticed(hosts, "a message every two seconds", [2] * 30)
    noticed(hosts, "a message after 70 s of silence", [70] * 5)


def measure_idle(hosts):
    # The same with nobody there, to know what the lab itself costs.
    began, before = now(), busy_seconds()
    time.sleep(20)
    print(f"figure: nothing: {100 * (busy_seconds() - before) / (now() - began):.2f} %", flush=True)
    share, whole = idle_bots(hosts, 100, 60, 120)
    least, most = slowness()
    print(f"figure: that is between {100 * share / most:.2f} and {100 * share / least:.2f} % of a core of the machine in their own time, and "
          f"between {100 * whole / most:.2f} and {100 * whole / least:.2f} % with the rest: as looks are slower, and as computing is", flush=True)
