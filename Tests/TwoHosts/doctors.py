"""What the doctors of both hosts measure together."""
import json
import os

from lab import NFS3, SERVED, nfs_scenario, scenario


def doctors(hosts):
    """What each said of what holds between the two: {letter: {name: check}}, and of its own mount under the name alone."""
    running = [host.start_spool("doctor", "--json", "--hosts", "2", "--wait", "60s") for host in hosts]
    said = {}
    for host, process in zip(hosts, running):
        output, errors = process.communicate(timeout=150)
        checks = [json.loads(line) for line in output.splitlines() if '"storage"' in line]
        said[host.letter] = {("" if "with" in check else "own ") + check["storage"]: check for check in checks}
        assert "names" in said[host.letter], f"{host.letter}: {output} {errors}"
        unfit = [check for check in checks if not check["fit"]]
        assert process.returncode == (1 if unfit else 0), f"{host.letter}: {process.returncode}: {output} {errors}"
    assert not os.listdir(f"{SERVED}/spool/tmp"), os.listdir(f"{SERVED}/spool/tmp")
    return said


def doctors_with_b_mounted(hosts, options):
    hosts.b.mount(options)
    try:
        return doctors(hosts)
    finally:
        hosts.b.mount("")


def unfit(checks):
    return sorted(name for name, check in checks.items() if not check["fit"])


@scenario
def doctors_of_both_hosts_find_that_one_sees_what_the_other_does_and_wins_alone(hosts):
    hosts.fresh("bob")
    said = doctors(hosts)
    for letter, checks in said.items():
        assert unfit(checks) == [], checks
        assert len([name for name in checks if not name.startswith("own ")]) == 9, checks
        assert checks["locks"]["with"] == ("hostb" if letter == "a" else "hosta")
    print("  " + "; ".join(f"{name}: {said['a'][name]['found']}" for name in ("new-file", "grown-file", "renames", "links")))


@nfs_scenario
def doctors_find_a_mount_whose_locks_are_its_own_where_the_other_hosts_mount_is_good(hosts):
    with NFS3():
        hosts.fresh("bob")
        said = doctors_with_b_mounted(hosts, ",vers=3,nolock")
    # Its own option tells only the one: that the other's locks don't hold is measured.
    assert "own mount" not in unfit(said["a"]) and "own locks" not in unfit(said["a"]), said
    for checks in said.values():
        assert "locks" in unfit(checks) and "local_lock" in checks["locks"]["cure"], said
        assert not {"renames", "links", "meeting"} & set(unfit(checks)), said


@nfs_scenario
def doctors_find_a_mount_that_shows_what_was_instead_of_what_is(hosts):
    hosts.fresh("bob")
    options = ",nocto,acregmin=60,acregmax=60,acdirmin=60,acdirmax=60,lookupcache=all"
    said = doctors_with_b_mounted(hosts, options)
    assert "own mount" not in unfit(said["a"]) and "new-file" in unfit(said["a"]), said
    assert "on hostb by NFSv4 and without nocto" in said["a"]["new-file"]["cure"], said
    assert "on this host by NFSv4 and without nocto" in said["b"]["new-file"]["cure"], said
    for checks in said.values():
        assert "renames" not in unfit(checks) and "locks" not in unfit(checks) and "meeting" not in checks, said


@scenario
def doctors_find_clocks_that_are_apart_and_a_machine_that_was_cloned(hosts):
    hosts.fresh("bob")
    hosts.b.clock_off = -30
    said = doctors(hosts)
    for letter, word in (("a", "behind"), ("b", "ahead")):
        found = said[letter]["clocks"]["found"].split()
        assert "clocks" in unfit(said[letter]) and 29 < float(found[2]) < 31 and found[4] == word, said
    hosts.b.clock_off = 0
    machine = f"/mnt/t/machine.{hosts.b.letter}"
    hosts.fresh("bob")
    try:
        hosts.b.run("hostname", hosts.a.hostname)
        with open(machine, "w") as file:
            file.write(hosts.a.machine + "\n")
        said = doctors(hosts)
    finally:
        hosts.b.run("hostname", hosts.b.hostname)
        with open(machine, "w") as file:
            file.write(hosts.b.machine + "\n")
    for checks in said.values():
        assert unfit(checks) == ["names"] and "machine-id" in checks["names"]["cure"], said
