"""A supervisor that is none: it starts the gateway as the real one does, holds the other end of its
channel, and answers with a document that the test changes."""

import json
import os
import random
import socket
import subprocess
import tempfile
import threading
import time

GATEWAY = os.environ.get("PREFORKD_HTTP", "./preforkd-http")
BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30]


def pool(name, max_workers=40, **changes):
    made = {
        "name": name, "dynamic": True, "max_workers": max_workers, "configured_max_workers": max_workers,
        "min_spare_workers": 5, "max_spare_workers": 10, "start_workers": 5, "offset": 0, "drained": False,
        "generation": 3, "live": 0, "starting": 0, "idle": 0, "busy": 0, "unknown": 0, "retiring": 0,
        "jobs": 12345, "jobs_per_second": 0.0, "starts": 30,
        "exits": {"asked": 20, "voluntary": 1, "failed": 1, "killed": 0},
        "recycled": {"jobs": 3, "age": 0, "memory": 0},
        "backoff": {"failures": 0, "remaining": 0.0}, "limit_hits": 2,
        "decision": "2 idle + 1 starting < min_spare_workers 5: starting 2", "decided": 12.0, "roll": None,
        "sockets": [{"name": "http", "address": "127.0.0.1:8080", "waiting": 0, "waiting_max": 17, "limit": 4096}],
        "start_to_ready": {"bounds": BOUNDS, "counts": [0, 3, 20, 7, 0, 0, 0, 0, 0, 0], "sum": 0.4},
        "demand_to_start": {"bounds": BOUNDS, "counts": [28, 2, 0, 0, 0, 0, 0, 0, 0, 0], "sum": 0.02},
        "workers": [],
    }
    made.update(changes)
    return made


def worker(slot, state, **changes):
    letter = {"idle": "_", "busy": "W", "retiring": "_"}.get(state, ".")
    made = {"slot": slot, "pid": 4712 + slot, "generation": 3, "state": state, "letter": letter, "since": 1.5,
            "age": 3600.1 - slot, "jobs": 4000 + slot, "resident": 5242880 + 65536 * slot, "cpu": 12.5, "note": ""}
    made.update(changes)
    return made


def fill(pool, **states):
    """Gives the pool so many workers of each state, in their slots' order."""
    names = [state for state, count in states.items() for _ in range(count)]
    pool["workers"] = [worker(slot, state) for slot, state in enumerate(names)]
    count(pool)
    return pool


def count(pool):
    states = [entry["state"] for entry in pool["workers"]]
    for state in ("starting", "idle", "busy", "unknown"):
        pool[state] = states.count(state)
    pool["retiring"] = sum(states.count(state) for state in ("retiring", "stopping", "killed"))
    pool["live"] = len(states)


def document(*pools, **changes):
    made = {
        "version": "0.1.0", "name": "app", "pid": 4711, "config": "/etc/app.ini", "phase": "running",
        "time": time.time(), "uptime": 3600.5,
        "reload": {"state": "none", "at": None, "duration": None, "reason": None},
        "loop_lag_max": 0.0021, "descriptors": {"open": 57, "limit": 1024}, "log_lines_lost": 0,
        "pools": list(pools),
    }
    made.update(changes)
    return made


class Supervisor:
    """Holds a listening socket for its whole life, and a gateway from start() to end()."""

    def __init__(self, unix=False):
        self.folder = tempfile.mkdtemp(prefix="preforkd-http.")
        os.chmod(self.folder, 0o755)
        if unix:
            self.path = os.path.join(self.folder, "http.sock")
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(self.path)
            os.chmod(self.path, 0o666)
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}/"
        self.listener.listen(128)
        self.document = document(fill(pool("web"), busy=2, idle=4, starting=1, retiring=1))
        self.asked = 0  # requests for the status
        self.mute = False  # does not answer
        self.delay = 0.0
        self.clock = time.time
        self.lock = threading.Lock()
        self.gateway = None

    def start(self):
        self.channel, theirs = socket.socketpair()
        high = [os.dup(theirs.fileno()), os.dup(self.listener.fileno())]
        theirs.close()
        while max(high) < 10:
            high = [os.dup(fd) for fd in high]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.errors = tempfile.TemporaryFile()
        self.gateway = subprocess.Popen([GATEWAY], preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL,
                                        stderr=self.errors)
        for fd in high:
            os.close(fd)
        self.thread = threading.Thread(target=self.serve, args=(self.channel,), daemon=True)
        self.thread.start()
        return self

    def serve(self, channel):
        try:
            for line in channel.makefile("r"):
                if line != "status\n":
                    continue
                self.asked += 1
                if self.delay:
                    time.sleep(self.delay)
                if not self.mute:
                    self.send(self.line())
        except OSError:
            pass

    def line(self):
        answer = self.document
        if isinstance(answer, dict):
            answer["time"] = round(self.clock(), 3)
            answer = json.dumps(answer)
        return answer

    def send(self, line):
        with self.lock:
            self.channel.sendall(line.encode() + b"\n")

    def event(self, **fields):
        self.send(json.dumps(fields, separators=(",", ":")))

    def end(self):
        """The channel's end; the exit status of the gateway."""
        self.channel.shutdown(socket.SHUT_RDWR)
        self.channel.close()
        status = self.gateway.wait(timeout=20)
        self.gateway = None
        return status

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def close(self):
        if self.gateway:
            self.end()
        self.listener.close()
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))
        os.rmdir(self.folder)


class Traffic:
    """A day's work in the small: makes the document live, as load comes and goes."""

    def __init__(self, supervisor, seed=1):
        self.supervisor = supervisor
        self.random = random.Random(seed)
        self.slots = {}
        self.pid = 5000
        self.now = 0.0

    def step(self, pool, load, seconds):
        """One moment: so many jobs at once are wanted."""
        name = pool["name"]
        slots = self.slots.setdefault(name, {})
        for entry in list(slots.values()):
            entry["age"] = round(entry["age"] + seconds, 3)
            entry["since"] = round(entry["since"] + seconds, 3)
            if entry["state"] == "starting":
                self.become(name, entry, "idle", "notified")
            elif entry["state"] == "retiring" and self.random.random() < 0.3:
                del slots[entry["slot"]]
                pool["exits"]["asked"] += 1
        self.work(pool, slots, load, seconds)
        self.grow_or_shrink(pool, slots)
        pool["workers"] = sorted(slots.values(), key=lambda entry: entry["slot"])
        count(pool)
        pool["sockets"][0]["waiting"] = max(0, load - pool["busy"])
        pool["sockets"][0]["waiting_max"] = max(pool["sockets"][0]["waiting"], pool["sockets"][0]["waiting_max"])

    def work(self, pool, slots, load, seconds):
        free = [entry for entry in slots.values() if entry["state"] in ("idle", "busy")]
        self.random.shuffle(free)
        for place, entry in enumerate(free):
            state = "busy" if place < load else "idle"
            if state == "busy":
                entry["jobs"] += self.random.randrange(1, 6)
                entry["note"] = self.random.choice(["GET /", "GET /search?q=shoes", "POST /cart", "GET /item/4711"])
                entry["letter"] = self.random.choice("RWWWK")
                entry["cpu"] = round(entry["cpu"] + seconds * self.random.random(), 2)
            if state != entry["state"]:
                entry["state"], entry["since"] = state, round(seconds * self.random.random(), 3)
                entry["letter"] = "_" if state == "idle" else entry["letter"]
        busy = min(load, len(free))
        pool["jobs"] += busy * 3
        pool["jobs_per_second"] = round(busy * 11.3 + self.random.random() * 9, 1)

    def grow_or_shrink(self, pool, slots):
        spare = [entry for entry in slots.values() if entry["state"] in ("idle", "starting")]
        lack = (pool["min_spare_workers"] or 0) - len(spare)
        if lack > 0 and len(slots) < pool["max_workers"]:
            lack = min(lack, pool["max_workers"] - len(slots))
            pool["decision"] = f"{len(spare)} spare < min_spare_workers {pool['min_spare_workers']}: starting {lack}"
            for _ in range(lack):
                self.spawn(pool, slots)
        elif lack > 0:
            pool["limit_hits"] += 1
            pool["decision"] = f"{len(spare)} spare, but max_workers {pool['max_workers']} is reached"
        elif len(spare) > (pool["max_spare_workers"] or pool["max_workers"]):
            idle = [entry for entry in spare if entry["state"] == "idle"][:1]
            pool["decision"] = (f"{len(spare)} idle > max_spare_workers {pool['max_spare_workers']} for 10 s: "
                                "retiring 1")
            for entry in idle:
                self.become(pool["name"], entry, "retiring", "surplus")

    def spawn(self, pool, slots):
        slot = next(number for number in range(pool["max_workers"]) if number not in slots)
        self.pid += self.random.randrange(1, 4)
        slots[slot] = worker(slot, "starting", pid=self.pid, since=0.0, age=0.0, jobs=0, cpu=0.03,
                             resident=self.random.randrange(18 << 20, 44 << 20), generation=pool["generation"])
        pool["starts"] += 1
        self.tell(pool["name"], slots[slot], "empty", "starting", pool["decision"])

    def become(self, name, entry, state, why):
        self.tell(name, entry, entry["state"], state, why)
        entry["state"], entry["since"] = state, 0.0

    def tell(self, name, entry, old, new, why):
        self.supervisor.event(event="worker", time=round(self.supervisor.clock(), 3), pool=name, slot=entry["slot"],
                              pid=entry["pid"], generation=entry["generation"], **{"from": old, "to": new}, why=why)
