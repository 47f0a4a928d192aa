"""A control socket that answers as a supervisor would, with a document that changes.

As a program: fake_control.py PATH [SEED] lives a busy day on PATH until it is killed.
"""
import copy
import json
import os
import random
import socket
import sys
import threading
import time

NOTES = ["GET /", "GET /cart", "POST /login", "GET /static/app.js", "GET /search?q=prefork",
         "PUT /api/v1/orders/4711", "GET /größe/日本語", "DELETE /session", ""]


def worker(slot, state="idle", letter=None, **more):
    """One worker's object, as interface of `status` says."""
    document = {
        "slot": slot, "pid": 4712 + slot, "generation": 1, "state": state,
        "letter": letter or {"idle": "_", "busy": "W"}.get(state, "."),
        "since": 1.5, "age": 100.0 + slot, "jobs": 10 * slot, "resident": 5 << 20, "cpu": 2.5,
        "note": f"note {slot}"}
    document.update(more)
    return document


def pool(name, workers, max_workers=40, **more):
    """One pool's object, whose counts agree with its workers."""
    count = {state: 0 for state in ("starting", "idle", "busy", "unknown", "retiring")}
    for one in workers:
        state = one["state"]
        count["retiring" if state in ("stopping", "killed") else state] += 1
    document = {
        "name": name, "dynamic": True, "max_workers": max_workers,
        "configured_max_workers": max_workers, "min_spare_workers": 5, "max_spare_workers": 10,
        "start_workers": 5, "offset": 0, "drained": False, "generation": 1,
        "live": len(workers), **count, "jobs": sum(one["jobs"] or 0 for one in workers),
        "jobs_per_second": 87.2, "starts": 30,
        "exits": {"asked": 20, "voluntary": 1, "failed": 1, "killed": 0},
        "recycled": {"jobs": 3, "age": 0, "memory": 0},
        "backoff": {"failures": 0, "remaining": 0.0}, "limit_hits": 2,
        "decision": "4 idle + 0 starting < min_spare_workers 5: starting 1", "decided": 12.0, "roll": None,
        "sockets": [{"name": "http", "address": "127.0.0.1:8080", "waiting": 3,
                     "waiting_max": 17, "limit": 4096}],
        "workers": workers}
    document.update(more)
    return document


def status(pools, **more):
    """The whole document."""
    document = {
        "version": "0.1.0", "name": "app", "pid": 4711, "config": "/etc/app.ini",
        "phase": "running", "time": 1790000000.123, "uptime": 3600.5,
        "reload": {"state": "none", "at": None, "duration": None, "reason": None},
        "loop_lag_max": 0.0021, "descriptors": {"open": 57, "limit": 1048576},
        "log_lines_lost": 0, "pools": pools}
    document.update(more)
    return document


class Control:
    """Serves `document` (an object, or bytes to be sent as they are) until close()."""

    def __init__(self, path, document):
        self.path = path
        self.document = document
        self.requests = []
        self.silent = False
        self.streams = []
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(path):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        try:
            line = client.makefile("rb").readline().decode()
            with self.lock:
                self.requests.append(line)
                if line == "events\n" or self.silent:
                    self.streams.append(client)
                    return
                document = self.document
                if not isinstance(document, bytes):
                    document = json.dumps(self._only(document, line)).encode() + b"\n"
            client.sendall(document)
            client.close()
        except OSError:
            pass

    @staticmethod
    def _only(document, line):
        words = line.split()
        if len(words) < 2:
            return document
        document = copy.copy(document)
        document["pools"] = [one for one in document["pools"] if one["name"] == words[1]]
        if not document["pools"]:
            return {"ok": False, "error": f"no pool is called {words[1]}", "exit_status": 64}
        return document

    def set(self, document):
        with self.lock:
            self.document = document

    def event(self, **event):
        """To all who listen."""
        with self.lock:
            for client in self.streams:
                try:
                    client.sendall(json.dumps(event).encode() + b"\n")
                except OSError:
                    pass

    def close(self):
        """As a supervisor that ends: no socket, no connections."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)
        with self.lock:
            for client in self.streams:
                client.close()
            self.streams = []


class Day:
    """A pool's busy day: demand that swings, workers that follow."""

    def __init__(self, name, max_workers, period, chance):
        self.name, self.max_workers = name, max_workers
        self.period, self.random = period, chance
        self.workers = {}
        self.jobs = 0
        self.rate = 0.0
        self.decision = "started 5"
        self.waiting_max = 0

    def _start(self, slot, now):
        letter = self.random.choice("WWWWKRC")
        self.workers[slot] = worker(
            slot, "starting", pid=4712 + self.random.randrange(20000), letter=letter, jobs=0,
            resident=self.random.randrange(4 << 20, 30 << 20), cpu=0.0, note="",
            began=now, changed=now, generation=3)

    def _switch(self, one, state, now):
        if one["state"] != state:
            one.update(state=state, changed=now)

    def _settle(self, now, wanted):
        """Whoever started is ready; then as many are busy as are wanted."""
        for one in self.workers.values():
            if one["state"] == "starting" and now - one["began"] > 0.7:
                self._switch(one, "idle", now)
        serving = [one for one in self.workers.values() if one["state"] in ("idle", "busy")]
        self.random.shuffle(serving)
        serving.sort(key=lambda one: one["state"] != "busy")
        for rank, one in enumerate(serving):
            busy = rank < wanted and self.random.random() < 0.93
            if busy:
                one["note"] = self.random.choice(NOTES)
                one["jobs"] += 3
                one["cpu"] += self.random.random() * 0.1
                one["letter"] = self.random.choice("WWWWWWKC")
                self.jobs += 3
            self._switch(one, "busy" if busy else "idle", now)

    def _size(self, now):
        """The spare rule, more or less."""
        idle = [one for one in self.workers.values() if one["state"] == "idle"]
        spare = len(idle) + sum(one["state"] == "starting" for one in self.workers.values())
        room = self.max_workers - len(self.workers)
        lacking = min(5 - spare, room)
        if lacking > 0:
            self.decision = f"{len(idle)} idle + {spare - len(idle)} starting" \
                            f" < min_spare_workers 5: starting {lacking}"
            free = (slot for slot in range(self.max_workers) if slot not in self.workers)
            for slot in [slot for _, slot in zip(range(lacking), free)]:
                self._start(slot, now)
        elif len(idle) > 10 and self.random.random() < 0.3:
            one = max(idle, key=lambda one: one["slot"])
            self.decision = f"{len(idle)} idle > max_spare_workers 10 for 10s: retiring 1"
            self._switch(one, "retiring", now)
        for slot, one in list(self.workers.items()):
            if one["state"] == "retiring" and now - one["changed"] > 1.5:
                del self.workers[slot]

    def document(self, now):
        shape = (now % self.period) / self.period
        swing = 4 * shape * (1 - shape)
        wanted = int(self.max_workers * (0.05 + 0.8 * swing * self.random.uniform(0.7, 1.1)))
        self._settle(now, wanted)
        self._size(now)
        busy = sum(one["state"] == "busy" for one in self.workers.values())
        self.rate += (busy * 9.7 * self.random.uniform(0.8, 1.2) - self.rate) * 0.5
        waiting = max(0, wanted - busy)
        self.waiting_max = max(self.waiting_max, waiting)
        workers = []
        for slot in sorted(self.workers):
            one = dict(self.workers[slot])
            one["since"], one["age"] = now - one.pop("changed"), now - one.pop("began")
            if one["state"] == "idle":
                one["letter"] = "_"
            workers.append(one)
        made = pool(self.name, workers, self.max_workers, jobs=self.jobs, decision=self.decision,
                    jobs_per_second=round(self.rate, 1))
        made["sockets"] = [{"name": self.name, "address": f"unix:/run/app/{self.name}.sock",
                            "waiting": waiting, "waiting_max": self.waiting_max, "limit": 4096}]
        return made


def main():
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    days = [Day("web", 80, 37, chance), Day("api", 24, 23, chance), Day("jobs", 8, 61, chance)]
    control = Control(sys.argv[1], status([]))
    began = time.time()
    while True:
        now = time.time()
        control.set(status([day.document(now - began) for day in days], time=now,
                           uptime=86400 * 3 + now - began,
                           reload={"state": "done", "at": began - 4000, "duration": 3.1,
                                   "reason": None}))
        control.event(event="worker", time=now, pool="web", slot=3, pid=4715, generation=3,
                      **{"from": "starting", "to": "ready"}, why="wrote its first state")
        time.sleep(0.4)


if __name__ == "__main__":
    main()
