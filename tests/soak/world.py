"""The folder, the supervisor in it, its control socket, and its workers."""
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SLOWNESS = float(os.environ.get("PREFORKD_TEST_SLOWNESS", "1"))
BUILD = os.path.dirname(os.path.abspath(os.environ.get("PREFORKD", "preforkd")))
ANSWER_LIMIT = 10 * SLOWNESS  # seconds, for the control socket
STOP_LIMIT = 40 * SLOWNESS
TICK = 0.05
LINE = 64
READ_MAX = 1 << 24
PR_SET_CHILD_SUBREAPER = 36

HEAD = """[preforkd]
name = soak
runtime_dir = run
log_file = log/log
http = unix:{folder}/http
[socket:web]
listen = 127.0.0.1:{web}
[socket:jobs]
listen = 127.0.0.1:{jobs}
[socket:auto]
listen = 127.0.0.1:{auto}
[socket:near]
listen = unix:{folder}/near
[socket:demand]
listen = unix:{folder}/demand
"""
COMMON = """crash_loop = backoff
err_respawn_interval = 100ms
err_respawn_max = 1s
min_uptime = 200ms
start_timeout = {start_timeout}
stop_timeout = {stop_timeout}
environment = GENERATION={number} ASAN_OPTIONS=handle_segv=0:detect_leaks=0
"""
POOLS = {
    "web": "command = {build}/examples/hello\nsockets = web\nready = scoreboard\nmax_workers = {size}\n"
           "stdout = log\nsurge = {surge}\n",
    "near": "command = {build}/examples/hello\nsockets = near\nmin_spare_workers = 2\nmax_spare_workers = 4\n"
            "max_workers = 10\nidle_timeout = 1s\n",
    "demand": "command = {build}/tests/daemon/testworker http\nsockets = demand\nmin_spare_workers = 0\n"
              "max_workers = 5\nidle_timeout = 1s\n",
    # Its program ends by an alarm after 300 s, whatever it does
    "auto": "command = {build}/tests/daemon/auto_server blocking\nsockets = auto\nauto_scoreboard = yes\n"
            "max_workers = 3\nmax_lifetime = 60s\nmax_lifetime_jitter = 60s\n",
    "jobs": "command = {build}/examples/jobs/worker\nsockets = jobs\nready = scoreboard\nmax_workers = 3\n"
            "max_requests = 500\nmax_requests_jitter = 500\n",
    # Not ready = auto: noise in a state's place would be demanded of all from then on
    "harm": "command = sleep 86400\nready = alive\nmax_workers = 3\n",
    "crash": "command = sh -c 'test ! -e {folder}/crash && exec sleep 86400'\nmax_workers = 2\n",
    "extra": "command = sleep 86400\nmax_workers = 2\n",
}


class Violation(Exception):
    """Something that was promised did not hold."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read(path):
    """What is in a file; nothing if it is not there (any more). It may be a fifo, or endless."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        with open(fd, "rb") as file:
            return file.read(READ_MAX) or b""
    except OSError:
        return b""


def process_state(pid):
    """Its state's letter and its parent; None when it is not there."""
    stat = read(f"/proc/{pid}/stat").rpartition(b") ")[2].split()
    return (stat[0].decode(), int(stat[1])) if stat else None


class World:
    def __init__(self, random):
        self.random = random
        self.folder = tempfile.mkdtemp(prefix="preforkd-soak-")
        os.chmod(self.folder, 0o755)  # the gateway's program is in there, and nobody runs it
        self.marker = f"SOAK_FOLDER={self.folder}".encode()
        self.ports = {name: free_port() for name in ("web", "jobs", "auto")}
        self.program = self.path("bin/preforkd")
        self.number = 0  # of the configuration
        self.daemon = None
        self.lives = 0
        self.status = None
        self.undos = []  # (when, what), for faults that last
        self.ticks = []  # called all the time
        self.may_undo = True  # there is a supervisor that answers
        self.load = None
        self.may_replace = True  # the supervisor, by the next one
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self.lay_out()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def lay_out(self):
        """A copy of the program, so that it can be replaced, and what it looks for beside itself."""
        os.makedirs(self.path("bin/src/libprefork/.libs"))
        os.makedirs(self.path("log"))
        for name in ("preforkd-http", "src/libprefork/.libs/libprefork-auto.so"):
            os.symlink(os.path.join(BUILD, name), self.path("bin", name))
        self.has_tmpfs = os.geteuid() == 0 and os.environ.get("SOAK_OWN_MOUNTS") == "yes" and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "soak", self.path("log")]).returncode == 0
        self.cgroup = self.make_cgroup() if os.geteuid() == 0 else None
        self.install()
        self.configure()

    @staticmethod
    def make_cgroup():
        """Where the number of processes can be limited, if there is such a thing."""
        for parent in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
            path = f"{parent}/preforkd-soak-{os.getpid()}"
            try:
                os.mkdir(path)
            except OSError:
                continue
            if os.path.exists(path + "/pids.max"):
                return path
            os.rmdir(path)
        return None

    def install(self):
        shutil.copy(os.path.join(BUILD, "preforkd"), self.program + ".new")
        os.rename(self.program + ".new", self.program)

    def write(self, text):
        """A new configuration, whole at once."""
        with open(self.path("soak.ini.new"), "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        os.rename(self.path("soak.ini.new"), self.path("soak.ini"))

    def text(self, change=None, **pools):
        """A configuration that is good, but for what `pools` says of single pools."""
        if change:
            self.number += 1
            self.size = self.random.randint(3, 5)
            self.surge = self.random.choice(["1", "2", "50%"])
            self.extra = self.random.random() < 0.5
        words = {"folder": self.folder, "build": BUILD, "number": self.number, "size": self.size,
                 "surge": self.surge, "start_timeout": f"{20 * SLOWNESS}s",
                 "stop_timeout": f"{10 * SLOWNESS}s", **self.ports}
        parts = [HEAD.format(**words)]
        for name, section in POOLS.items():
            if name != "extra" or self.extra:
                parts.append(f"[pool:{name}]\n" + pools.get(name, section + COMMON).format(**words))
        return "".join(parts)

    def configure(self, change=True):
        self.write(self.text(change))

    # --- the supervisor

    def start(self):
        """Whatever was broken for a while is whole again."""
        self.configure(change=False)
        self.install()
        with open(self.path("stderr"), "ab") as out:
            self.daemon = subprocess.Popen(
                [self.program, "-c", self.path("soak.ini")], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, env={**os.environ, "SOAK_FOLDER": self.folder})
        self.lives += 1
        if self.cgroup:
            with open(self.cgroup + "/cgroup.procs", "w") as out:
                out.write(str(self.daemon.pid))
        self.look()

    def signal(self, number):
        self.daemon.send_signal(number)

    def tick(self):
        """What goes on all the time: the end of faults that last, orphans, samples."""
        now = time.monotonic()
        if self.may_undo:
            self.undo(now)
        self.reap()
        if self.daemon and self.daemon.poll() is not None:
            raise Violation(f"the supervisor has ended by itself with status {self.daemon.returncode}")
        for call in self.ticks:
            call()

    def undo(self, now):
        """Ends the faults that are due. To end one may take a while, in which others do."""
        while due := [undo for undo in self.undos if undo[0] <= now]:
            self.undos.remove(due[0])
            due[0][1]()

    def pause(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tick()
            time.sleep(min(TICK, max(0, until - time.monotonic())))

    def pause_alone(self, seconds):
        """While there is nobody whom a fault's end could be told."""
        self.may_undo = False
        self.pause(seconds)
        self.may_undo = True

    def later(self, seconds, undo):
        self.undos.append((time.monotonic() + seconds, undo))

    def children(self, parent):
        found = []
        for name in os.listdir("/proc"):
            state = process_state(name) if name.isdigit() else None
            if state and state[1] == parent:
                found.append((int(name), state[0]))
        return found

    def reap(self):
        """Workers whose supervisor died are ours to wait for."""
        try:
            for task in os.listdir("/proc/self/task"):
                for pid in map(int, read(f"/proc/self/task/{task}/children").split()):
                    state = process_state(pid)
                    if state and state[0] == "Z" and not (self.daemon and pid == self.daemon.pid):
                        os.waitpid(pid, os.WNOHANG)
        except (ChildProcessError, FileNotFoundError):
            pass

    # --- the control socket

    def dial(self, name="run/control.sock", limit=ANSWER_LIMIT):
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(limit)
        try:
            link.connect(self.path(name))
        except OSError:
            link.close()
            raise
        return link

    def ask(self, *words):
        """The answer to one command. An upgrade may cut a connection: then it is asked again. What
        holds up the answer may end meanwhile."""
        until = time.monotonic() + ANSWER_LIMIT
        while True:
            try:
                with self.dial(limit=ANSWER_LIMIT) as link:
                    link.sendall(" ".join(words).encode() + b"\n")
                    return json.loads(self.hear(link, until))
            except (OSError, ValueError) as problem:
                if time.monotonic() > until:
                    raise Violation(f"{' '.join(words)}: {problem}") from problem
            self.pause(TICK)

    def hear(self, link, until):
        answer = b""
        while not answer.endswith(b"\n"):
            while not select.select([link], [], [], TICK)[0]:
                if time.monotonic() > until:
                    raise TimeoutError(f"no answer in {ANSWER_LIMIT:.0f} s")
                self.tick()
            part = link.recv(1 << 16)
            if not part:
                raise ConnectionResetError("the end instead of an answer")
            answer += part
        return answer

    def look(self):
        """Status answers, and its sums are right, whatever goes on."""
        status = self.ask("status")
        while "pools" not in status:  # too many clients
            self.pause(TICK)
            status = self.ask("status")
        for pool in status["pools"]:
            shown = [pool[name] for name in ("starting", "idle", "busy", "unknown", "retiring")]
            if sum(shown) != pool["live"] or len(pool["workers"]) != pool["live"]:
                raise Violation(f"pool {pool['name']}: {shown} are not {pool['live']}")
        self.status = status
        return status

    def pool(self, name):
        return next((pool for pool in self.status["pools"] if pool["name"] == name), None)

    def workers(self, *names):
        """(pool, slot, pid) of those that serve, as last seen."""
        return [(pool["name"], worker["slot"], worker["pid"]) for pool in self.status["pools"]
                if not names or pool["name"] in names for worker in pool["workers"]]

    # --- single workers

    def hold(self, pid):
        """A pidfd of a process of ours; None when it has gone."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        if self.marker in read(f"/proc/{pid}/environ").split(b"\0"):
            return pidfd
        os.close(pidfd)
        return None

    def send(self, pidfd, *numbers):
        try:
            for number in numbers:
                signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass

    def freeze(self, pool, slot, pid):
        """Stops it and looks whether it may have a request in hand. Returns its pidfd, or None."""
        pidfd = self.hold(pid)
        if pidfd is None:
            return None
        self.send(pidfd, signal.SIGSTOP)
        until = time.monotonic() + 1
        while (process_state(pid) or "T")[0] not in "TZX" and time.monotonic() < until:
            time.sleep(0.001)
        if self.load and read(self.path(f"run/{pool}.scoreboard"))[slot * LINE:][:1] != b"_":
            self.load.excuse(pool)
        return pidfd

    def end(self, workers, *numbers):
        """Ends them, the more together the better; a request at hand is lost, no other."""
        held = [pidfd for pidfd in (self.freeze(*worker) for worker in workers) if pidfd is not None]
        for pidfd in held:
            self.send(pidfd, *numbers)
            os.close(pidfd)
        return len(held)

    # --- the end

    def finish(self):
        """Stops; nothing may be left. Then the folder goes."""
        daemon, self.daemon = self.daemon, None
        daemon.send_signal(signal.SIGTERM)
        status = daemon.wait(STOP_LIMIT)
        self.reap()
        left = [pid for pid in self.ours() if pid != os.getpid()]
        files = os.listdir(self.path("run")) if os.path.exists(self.path("run")) else []
        if status != 0 or left or files:
            raise Violation(f"after the stop: status {status}, processes {left}, files {files}")

    def ours(self):
        return [int(name) for name in os.listdir("/proc")
                if name.isdigit() and self.marker in read(f"/proc/{name}/environ").split(b"\0")]

    def sweep(self, keep):
        """Whatever is left is ended, also after a failure."""
        for _ in range(20):
            left = self.ours()
            for pid in left:
                pidfd = self.hold(pid)
                if pidfd is not None:
                    self.send(pidfd, signal.SIGKILL)
                    os.close(pidfd)
            self.daemon and self.daemon.poll()
            self.reap()
            if not left:
                break
            time.sleep(TICK)
        if self.cgroup:
            until = time.monotonic() + ANSWER_LIMIT
            while read(self.cgroup + "/cgroup.procs") and time.monotonic() < until:
                time.sleep(TICK)
            os.rmdir(self.cgroup)
        if keep and self.has_tmpfs:  # it goes with us
            shutil.copytree(self.path("log"), self.path("log-kept"))
        if self.has_tmpfs:
            subprocess.run(["umount", "--lazy", self.path("log")])
        if not keep:
            shutil.rmtree(self.folder)
