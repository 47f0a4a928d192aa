"""What the benchmarks share: contestants, the FIFO on which workers tell, statistics, tables.

Every contestant runs the same small C worker where it can run a program at all. A worker tells
"PID NANOSECONDS [WORD]" (CLOCK_MONOTONIC) on a FIFO that BENCH_FIFO names. All contestants of a
metric are measured in the same run, one after the other, round after round, and compared with the
floor of their own round: what disturbs the machine for a while disturbs both.
"""
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BENCH_BUILD", os.path.join(HERE, "..", "build")))
PREFORKD = os.environ.get("PREFORKD", os.path.join(BUILD, "preforkd"))
F_SETPIPE_SZ = 1031
PATIENCE_SEC = 60


class Silence(Exception):
    """Not as many workers told as should have, in a minute."""


def program(name):
    """A program of bench/, built by `make bench`."""
    path = os.path.join(BUILD, "bench", name)
    if not os.access(path, os.X_OK) or not os.access(PREFORKD, os.X_OK):
        raise SystemExit(f"{path} or {PREFORKD} is not there: make bench, or set BENCH_BUILD")
    return path


def now_ns():
    return time.monotonic_ns()


def idle_ticks():
    with open("/proc/stat") as file:
        return int(file.readline().split()[4])


def await_quiet(seconds=20, window_sec=0.2):
    """Until the processors have been idle for a moment; a busy machine is given up on."""
    enough = 0.85 * window_sec * os.cpu_count() * os.sysconf("SC_CLK_TCK")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = idle_ticks()
        time.sleep(window_sec)
        if idle_ticks() - before >= enough:
            return


class Fifo:
    def __init__(self, folder):
        self.path = os.path.join(folder, "fifo")
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.rest = b""
        try:
            import fcntl
            fcntl.fcntl(self.fd, F_SETPIPE_SZ, 1 << 20)
        except OSError:
            pass

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.fd], [], [], left)[0]:
            raise Silence
        self.rest += os.read(self.fd, 1 << 20)

    def read(self, count, seconds=PATIENCE_SEC):
        """The next `count` lines: [(pid, nanoseconds, word)]."""
        deadline = time.monotonic() + seconds
        lines = []
        while len(lines) < count:
            if b"\n" not in self.rest:
                self._fill(deadline)
                continue
            line, self.rest = self.rest.split(b"\n", 1)
            field = line.decode().split() + [""]
            lines.append((int(field[0]), int(field[1]), field[2]))
        return lines

    def drain(self, seconds=0):
        """All lines that come within so many seconds."""
        lines = []
        deadline = time.monotonic() + seconds
        while True:
            try:
                lines += self.read(1, max(0.0005, deadline - time.monotonic()))
            except Silence:
                return lines


class Place:
    """A folder in memory for one run of a benchmark, with its FIFO; removed at the end."""

    def __enter__(self):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="preforkd-bench.", dir=memory)
        self.fifo = Fifo(self.folder)
        self.running = []
        self.number = 0
        return self

    def __exit__(self, *unused):
        for supervisor in self.running[:]:
            supervisor.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def name(self):
        self.number += 1
        return os.path.join(self.folder, f"run{self.number}")


# --- contestants: argv of one that keeps `count` workers running `worker`

def floor(place, count, worker):
    return [program("floor"), str(count), *worker]


def preforkd(place, count, worker, keys="", pool_keys=""):
    base = place.name()
    with open(base + ".ini", "w") as file:
        file.write(f"[preforkd]\nname = bench\nruntime_dir = {base}.run\n{keys}\n[pool:bench]\n"
                   f"command = {' '.join(worker)}\nmax_workers = {count}\n{pool_keys}\n")
    return [PREFORKD, "-c", base + ".ini"]


def preforkd_eager(place, count, worker):
    """No exit is a failure: what is measured kills workers younger than a second."""
    return preforkd(place, count, worker, pool_keys="min_uptime = 0")


def multiwatch(place, count, worker):
    return ["multiwatch", "-s", "TERM", "-t", "0", "-r", "1000000", "-f", str(count), "--", *worker]


def parallel_prefork(place, count, worker):
    return ["perl", os.path.join(HERE, "prefork.pl"), str(count), *worker]


def have_perl_module(name):
    return subprocess.run(["perl", f"-M{name}", "-e1"], stderr=subprocess.DEVNULL).returncode == 0


def contestants():
    """Those that exec a program and are installed; the floor is the first."""
    found = {"floor": floor, "preforkd": preforkd_eager}
    if shutil.which("multiwatch"):
        found["multiwatch"] = multiwatch
    if shutil.which("perl") and have_perl_module("Parallel::Prefork"):
        found["Parallel::Prefork"] = parallel_prefork
    return found


class Supervisor:
    """A contestant that runs."""

    def __init__(self, place, argv, pass_fds=(), environment=None):
        self.place = place
        self.log = open(place.name() + ".log", "wb")
        self.started_ns = now_ns()
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, pass_fds=pass_fds,
            env=dict(os.environ, BENCH_FIFO=place.fifo.path, **(environment or {})))
        self.pid = self.process.pid
        self.log.close()
        self.workers = []
        place.running.append(self)

    def await_workers(self, count):
        """Milliseconds from our own start of the supervisor to the exec of the last worker."""
        lines = self.place.fifo.read(count)
        self.workers = [line[0] for line in lines]
        return (max(line[1] for line in lines) - self.started_ns) / 1e6

    def stop(self):
        """Milliseconds from TERM until the supervisor and all its workers are gone."""
        began_ns = now_ns()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_SEC)
        ended_ns = now_ns()
        while any(map(is_there, self.workers)):
            ended_ns = now_ns()
        self.place.running.remove(self)
        return (ended_ns - began_ns) / 1e6

    def end(self):
        """After a failure: whatever is left, without measuring."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.place.running.remove(self)

    def kill(self):
        """Without waiting for anything that it would still do."""
        self.process.kill()
        self.process.wait()
        for pid in self.workers:
            os.kill(pid, signal.SIGKILL)
        self.place.running.remove(self)

    def cpu_ms(self):
        with open(f"/proc/{self.pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e6

    def field(self, file, name):
        with open(f"/proc/{self.pid}/{file}") as lines:
            return sum(int(line.split()[1]) for line in lines if re.match(name + ":", line))

    def private_kib(self):
        return self.field("smaps_rollup", "Private_(Clean|Dirty)")

    def wakeups(self):
        return self.field("status", "voluntary_ctxt_switches")


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- statistics

def median(values):
    return statistics.median(values)


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def ratios(values, floor_values):
    """Pair by pair, each with the floor of its own round."""
    return [value / floor_value for value, floor_value in zip(values, floor_values)]


def rotated(names, turn):
    """Another one is first each round, so that no place in the row is always the same one's."""
    names = list(names)
    turn %= len(names)
    return names[turn:] + names[:turn]


def table(head, rows):
    """A Markdown table."""
    print()
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


def ratio_cells(values, floor_values):
    """`x floor` and its quartiles."""
    pairs = ratios(values, floor_values)
    return f"{median(pairs):.2f} ({quantile(pairs, .25):.2f}-{quantile(pairs, .75):.2f})"


def heading(text):
    print(f"### {text}", flush=True)


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    system = os.uname()
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} x {model[1] if model else system.machine}, "
          f"{system.sysname} {system.release}, load {os.getloadavg()[0]:.1f}", flush=True)
