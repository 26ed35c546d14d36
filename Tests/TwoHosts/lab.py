"""The hosts of the lab: what runs on them, and what may befall them. See run.sh."""
import json
import os
import signal
import subprocess
import time

SPOOL = os.environ["SPOOL"]
DEBUG = os.environ["DEBUG"]
LAB = os.environ["LAB"]
ENGINE = os.environ.get("ENGINE", "nfs")
HERE = os.environ["HERE"]
SHARED = "/mnt/s"  # where each host has the share
SERVED = "/mnt/d/shared"  # the same as the server has it
LIBRARIES = {"LD_LIBRARY_PATH": os.environ["LIBRARIES"]}


SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


def nfs_scenario(function):
    """For a server that is waited for when it is away: GlusterFS with one brick answers with an error at once."""
    return scenario(function) if ENGINE == "nfs" else function


def now():
    """Seconds since boot: one clock for all hosts, as they share a kernel."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_for(condition, seconds, what="nothing"):
    end = now() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert now() < end, f"{what} within {seconds} s"
        time.sleep(0.02)


def boxes(bot, *names):
    return {name: [entry for entry in sorted(os.listdir(f"{SERVED}/spool/bots/{bot}/{name}"))
                   if not entry.startswith(".")] for name in names}


def server(*command):
    return subprocess.run(command, env={**os.environ, **LIBRARIES}, check=True, capture_output=True, text=True)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZXD"
    except OSError:
        return False


class Host:
    """One host: its own network, hostname, processes, boot id, machine id and mount."""
    boots = 0

    def __init__(self, letter, hostname=None, machine=None, options=""):
        self.letter = letter
        self.hostname = hostname or f"host{letter}"
        self.machine = machine or f"{ord(letter):032x}"
        self.options = options + os.environ.get("OPTIONS", "")
        self.clock_off = 0
        self.start_up()

    def start_up(self):
        Host.boots += 1
        self.number = Host.boots
        self.net = f"{self.letter}{self.number}"
        self.make_network()
        boot = f"/mnt/t/boot.{Host.boots}"
        with open(boot, "w") as file:
            file.write(f"0000{Host.boots:04x}-0000-4000-8000-{self.number:012x}\n")
        machine = f"/mnt/t/machine.{self.letter}"
        with open(machine, "w") as file:
            file.write(self.machine + "\n")
        script = (f"hostname {self.hostname}; mount --bind {boot} /proc/sys/kernel/random/boot_id; "
                  f"mount --bind {machine} /etc/machine-id; {self.mount_command()} && echo up; exec sleep 1000000")
        self.unshare = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.net}", "unshare", "-u", "-m", "-p", "--fork", "--mount-proc",
             "bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.unshare.stdout.readline().strip()
        assert line == "up", f"host {self.letter} didn't mount: {line}"
        self.pid = self.first_process()

    def mount_command(self):
        server_address = f"10.9.{self.number}.1"
        if ENGINE == "gluster":
            volume = f"/mnt/t/gluster/{self.net}"
            with open(f"{volume}.vol", "w") as file:
                file.write("volume remote\ntype protocol/client\noption transport-type tcp\n"
                           f"option remote-host {server_address}\noption remote-port 24007\n"
                           "option remote-subvolume brick\nend-volume\n")
            return (f"LD_LIBRARY_PATH={os.environ['LIBRARIES']} glusterfs -f {volume}.vol -l {volume}.log {SHARED} "
                    f">/dev/null; for i in $(seq 50); do mountpoint -q {SHARED} && break; sleep 0.1; done; "
                    f"mountpoint -q {SHARED}")
        return (f"mount -i -t nfs4 -o addr={server_address},clientaddr=10.9.{self.number}.2,vers=4.2{self.options} "
                f"{server_address}:/ {SHARED}")

    def mount(self, options):
        """Has the share mounted with other options, by NFSv3 if they say so."""
        address = f"10.9.{self.number}.1"
        version, path = ("vers=4.2", "/") if "vers=3" not in options else (
            f"mountaddr={address},mountvers=3,mountproto=tcp,mountport=20048,port=2049,proto=tcp", SERVED)
        self.kill_processes()
        inside = ["nsenter", "-t", str(self.pid), "-n", "-u", "-m", "-p", "--wd=/"]
        kind = "nfs" if "vers=3" in options else "nfs4"
        subprocess.run([*inside, "umount", SHARED], check=True)
        subprocess.run([*inside, "mount", "-i", "-t", kind, "-o",
                        f"addr={address},clientaddr=10.9.{self.number}.2,{version}{options}", f"{address}:{path}", SHARED],
                       check=True)

    def make_network(self):
        """A new one each time: what still waits for the old one may wait for ever."""
        inside = ("ip", "netns", "exec", self.net, "ip")
        server("ip", "netns", "add", self.net)
        server("ip", "link", "add", f"v{self.net}", "type", "veth", "peer", "name", "e0", "netns", self.net)
        server("ip", "addr", "add", f"10.9.{self.number}.1/24", "dev", f"v{self.net}")
        server("ip", "link", "set", f"v{self.net}", "up")
        server(*inside, "addr", "add", f"10.9.{self.number}.2/24", "dev", "e0")
        for device in ("e0", "lo"):
            server(*inside, "link", "set", device, "up")

    def first_process(self):
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as file:
                        if int(file.read().rsplit(")", 1)[1].split()[1]) == self.unshare.pid:
                            return int(name)
                except OSError:
                    pass
        raise AssertionError("no first process")

    # What runs there

    def arguments(self, command):
        if self.clock_off and command[0] == SPOOL:
            command = (DEBUG, *command[1:])
        return ["nsenter", "-t", str(self.pid), "-n", "-u", "-m", "-p", f"--wd={SHARED}", *command]

    def environment(self, extra=None):
        environment = {**os.environ, "SPOOL_DIR": f"{SHARED}/spool", "HOST": self.letter, **(extra or {})}
        if self.clock_off:
            # Into what is linked statically nothing can be preloaded.
            environment |= {"LD_PRELOAD": f"{LAB}/clock.so", "CLOCK_OFF": str(self.clock_off), "SPOOL": DEBUG}
        return environment

    def start(self, *command, env=None, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                   **options}
        return subprocess.Popen(self.arguments(command), env=self.environment(env), **options)

    def start_spool(self, *arguments, **options):
        return self.start(SPOOL, *arguments, **options)

    def run(self, *command, ok=(0,), limit=60, env=None, stdin=None):
        done = subprocess.run(self.arguments(command), env=self.environment(env), input=stdin, timeout=limit,
                              stdin=None if stdin else subprocess.DEVNULL, capture_output=True, text=True)
        assert ok is None or done.returncode in ok, \
            f"{self.letter}: {' '.join(command[:8])}: {done.returncode}: {done.stderr.strip()} {done.stdout[-300:]}"
        return done

    def spool(self, *arguments, **options):
        """What a command printed, without the line feed at its end."""
        return self.run(SPOOL, *arguments, **options).stdout.rstrip("\n")

    def json(self, *arguments, **options):
        return [json.loads(line) for line in self.spool(*arguments, "--json", **options).splitlines()]

    def user(self, number):
        return UserOnHost(self, number)

    # What may befall it

    def processes(self):
        """All but the first, which is what keeps the host up, and those that are its mount."""
        try:
            own = os.readlink(f"/proc/{self.pid}/ns/pid")
        except OSError:
            return []
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != self.pid:
                try:
                    with open(f"/proc/{name}/comm") as file:
                        if os.readlink(f"/proc/{name}/ns/pid") == own and not file.read().startswith("glusterfs"):
                            found.append(int(name))
                except OSError:
                    pass
        return found

    def kill_processes(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def network(self, is_up):
        server("ip", "link", "set", f"v{self.net}", "up" if is_up else "down")

    def kill(self):
        """As a power cut does: what it had in memory never reaches the server."""
        processes = self.processes()
        self.network(False)
        os.kill(self.pid, signal.SIGKILL)
        # Of its mount the kernel can't let go before the server answers, which it never will.
        wait_for(lambda: not any(is_running(pid) for pid in processes), 10, "dead")
        self.pid = None

    def boot(self):
        self.start_up()


class UserOnHost:
    """What a user of the group that shares a spool runs on a host. A number is enough: nobody asks for names."""
    group = 48700
    program = "/mnt/t/spool"  # where it was built may be closed to others

    def __init__(self, host, number):
        self.host, self.number = host, number
        if not os.path.exists(self.program):
            subprocess.run(["install", "-m", "755", SPOOL, self.program], check=True)

    def become(self, command):
        if command[0] == SPOOL:
            command = (self.program, *command[1:])
        return ("setpriv", "--reuid", str(self.number), "--regid", str(self.number), "--groups", str(self.group), *command)

    def start(self, *command, env=None, **options):
        return self.host.start(*self.become(command), env={"SPOOL": self.program, **(env or {})}, **options)

    def run(self, *command, env=None, **options):
        return self.host.run(*self.become(command), env={"SPOOL": self.program, **(env or {})}, **options)

    start_spool, spool, json = Host.start_spool, Host.spool, Host.json


class Hosts:
    def __init__(self):
        self.a, self.b = Host("a"), Host("b")

    def __iter__(self):
        return iter((self.a, self.b))

    def mend(self):
        """For the next scenario: both are up, as they were."""
        for host in self:
            host.clock_off = 0
            if host.pid is None:
                host.boot()
            host.kill_processes()

    def fresh(self, *bots, lease=None, durability="relaxed", administrator=None):
        """A new spool with these bots, shared by users if one of them makes it; the last one is moved out of the way."""
        if os.path.exists(f"{SERVED}/spool"):
            os.makedirs(f"{SERVED}/old", exist_ok=True)
            os.rename(f"{SERVED}/spool", f"{SERVED}/old/{time.monotonic_ns()}")
            time.sleep(0.01)
        for host in self:
            host.run("ls", SHARED)  # both know that it is gone
        if administrator:
            self.a.user(administrator).spool("init", "--shared", str(UserOnHost.group), f"{SHARED}/spool")
        else:
            self.a.spool("init", f"{SHARED}/spool")
        path = f"{SERVED}/spool/spool.json"
        with open(path) as file:
            settings = json.load(file)
        settings["durability"] = durability
        if lease:
            settings["lease_seconds"] = lease
        with open(path, "w") as file:
            json.dump(settings, file)
        for bot in bots:
            self.a.spool("register", bot)


def restart_server():
    """Its sessions and answers are gone; clients ask again what they had no answer to."""
    if ENGINE == "gluster":
        with open("/mnt/t/gluster/server.pid") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        time.sleep(0.1)
        server("glusterfsd", "-f", "/mnt/t/gluster/server.vol", "-p", "/mnt/t/gluster/server.pid", "-l",
               "/mnt/t/gluster/server.log")
        return
    server("rpc.nfsd", "0")
    server("rpc.nfsd", "-N", "3", "-V", "4", "-V", "4.2", "8")
    time.sleep(0.2)
    end_grace()


def end_grace():
    with open("/proc/fs/nfsd/v4_end_grace", "w") as file:
        file.write("Y")


class NFS3:
    """While it lasts, the server speaks NFSv3, too."""

    def __enter__(self):
        server("modprobe", "-d", f"{LAB}/modroot", "nfsv3")
        # Or nobody gets a lock for a minute.
        for name in ("nlm_timeout", "nlm_grace_period"):
            with open(f"/sys/module/lockd/parameters/{name}", "w") as file:
                file.write("3")
        self.portmap = subprocess.Popen(["python3", os.path.join(HERE, "portmap.py")], stdout=subprocess.PIPE)
        self.portmap.stdout.readline()
        server("rpc.nfsd", "0")
        server("rpc.nfsd", "-V", "3", "-V", "4", "-V", "4.2", "8")
        end_grace()
        time.sleep(3)

    def __exit__(self, *_):
        self.portmap.terminate()
        self.portmap.wait()
        restart_server()
