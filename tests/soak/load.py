"""Clients that count. A request is lost when it gets no whole answer. What is excused: one for each
worker that was ended while it may have had one in hand, and those that were under way while a pool's
socket was nobody's, because its supervisor was killed when it had no worker."""
import json
import socket
import threading
import time

from world import SLOWNESS

TIMEOUT = 60 * SLOWNESS
RATE = 6  # a second, of each target


class Lost(Exception):
    pass


def read_http(link):
    answer = b""
    while True:
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0]):
            if b" 200 " not in head:
                raise Lost(f"answered {head[:40]}")
            return
        part = link.recv(4096)
        if not part:
            raise Lost(f"ended after {len(answer)} bytes")
        answer += part


def read_line(link):
    answer = b""
    while not answer.endswith(b"\n"):
        part = link.recv(4096)
        if not part:
            raise Lost(f"ended after {len(answer)} bytes")
        answer += part
    if json.loads(answer) != {"result": 42}:
        raise Lost(f"answered {answer[:80]}")


class Target:
    """A pool, and what is asked of it."""

    def __init__(self, pool, family, address, request, read):
        self.pool, self.family, self.address, self.request, self.read = pool, family, address, request, read

    def ask(self, random):
        with socket.socket(self.family) as link:
            link.settimeout(TIMEOUT)
            link.connect(self.address)
            link.sendall(self.request(random))
            self.read(link)


def plain(random):
    return b"GET / HTTP/1.1\r\n\r\n"


def slow(random):
    return b"GET /sleep?ms=%d HTTP/1.1\r\n\r\n" % random.choice([0, 5, 50, 200])


def slow_test(random):
    return b"GET /sleep/%d HTTP/1.1\r\n\r\n" % random.choice([0, 5, 50])


def job(random):
    return b'{"function":"add","args":[40,2]}\n'


def targets(world):
    tcp, unix = socket.AF_INET, socket.AF_UNIX
    here = {name: ("127.0.0.1", port) for name, port in world.ports.items()}
    return [Target("web", tcp, here["web"], slow, read_http), Target("near", unix, world.path("near"), slow, read_http),
            Target("demand", unix, world.path("demand"), slow_test, read_http),
            Target("auto", tcp, here["auto"], plain, read_http), Target("jobs", tcp, here["jobs"], job, read_line)]


class Load:
    def __init__(self, world, random_class, seed, violation):
        self.world, self.violation = world, violation
        self.lock = threading.Lock()
        self.done, self.lost, self.excused, self.slowest = 0, 0, 0, 0.0
        self.losses = []  # (pool, begun, ended, why), not yet judged
        self.credit = {}  # by pool: how many may be lost
        self.gaps = []  # (pool, begun, ended): nobody had its socket
        self.ending = threading.Event()
        self.threads = []
        for number, target in enumerate(targets(world)):
            for half in range(2):
                random = random_class(f"{seed} {number} {half}")
                self.threads.append(threading.Thread(target=self.run, args=(target, random), daemon=True))

    def start(self):
        for thread in self.threads:
            thread.start()

    def run(self, target, random):
        """Also with pauses, in which a pool on demand may become empty."""
        while not self.ending.is_set():
            begun = time.monotonic()
            try:
                target.ask(random)
                why = None
            except (OSError, ValueError, Lost) as problem:
                why = f"{type(problem).__name__}: {problem}"
            ended = time.monotonic()
            with self.lock:
                if why:
                    self.losses.append((target.pool, begun, ended, why))
                else:
                    self.done += 1
                    self.slowest = max(self.slowest, ended - begun)
            pause = 4 if random.random() < 0.02 else random.expovariate(RATE / 2)
            self.ending.wait(pause)

    def excuse(self, pool):
        with self.lock:
            self.credit[pool] = self.credit.get(pool, 0) + 1

    def gap(self, pool, begun):
        """Until now, its socket was nobody's."""
        with self.lock:
            self.gaps.append((pool, begun, time.monotonic()))

    def judge(self):
        with self.lock:
            losses, self.losses = self.losses, []
            for pool, begun, ended, why in losses:
                if any(gap[0] == pool and begun <= gap[2] and ended >= gap[1] for gap in self.gaps):
                    self.excused += 1
                elif self.credit.get(pool, 0) > 0:
                    self.credit[pool] -= 1
                    self.excused += 1
                else:
                    self.lost += 1
            self.credit = {}
            if self.lost:
                raise self.violation(f"{self.lost} requests lost without an excuse: {losses}")

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(TIMEOUT)
        if any(thread.is_alive() for thread in self.threads):
            raise self.violation(f"a request was not answered in {TIMEOUT:.0f} s")
        self.judge()
