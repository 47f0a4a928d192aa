"""The faults of same-fault: each takes a peer's class and a place, and returns what it saw.

What it saw is a dictionary of rows of the table: numbers, of which the median is shown; None for what
did not happen in the time that it was given; words, and pairs of numbers "so many of so many".
"""
import os
import signal
import socket
import struct
import threading
import time

from peers import Nginx, Systemd, await_that

FORK_FAILS_SEC = 8
BACK_SEC = 120
GONE_SEC = 30
HARM_SEC = 5
REPLACED_SEC = 8


class Load:
    """Two clients, each asking as soon as 5 ms have passed since its last answer."""

    def __init__(self, path):
        self.path, self.over = path, False
        self.answered, self.lost = 0, 0
        self.began = self.last = time.monotonic()
        self.gap = 0.0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(2)]

    def ask(self):
        with socket.socket(socket.AF_UNIX) as client:
            # Not settimeout(): that makes a full queue an error
            for option in socket.SO_RCVTIMEO, socket.SO_SNDTIMEO:
                client.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 5, 0))
            client.connect(self.path)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while True:
                part = client.recv(4096)
                if not part:
                    return b" 200 OK" in answer
                answer += part

    def run(self):
        while not self.over:
            try:
                good = self.ask()
            except OSError:
                good = False
            with self.lock:
                self.answered += good
                self.lost += not good
                if good:
                    now = time.monotonic()
                    self.gap = max(self.gap, now - self.last)
                    self.last = now
            time.sleep(0.005)

    def take(self):
        """(lost, asked) since the last call."""
        with self.lock:
            result = (self.lost, self.lost + self.answered)
            self.lost = self.answered = 0
        return result

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join()


def fork_fails(peer):
    """The workers die while nothing can be forked; 8 seconds later it can be again."""
    peer.start()
    peer.group.limit(1)
    for pid in peer.workers():
        os.kill(pid, signal.SIGKILL)
    time.sleep(FORK_FAILS_SEC)
    peer.group.limit("max")
    back = await_that(lambda: len(peer.workers()) == 4, BACK_SEC, 0.05)
    return {"seconds until all four are back": back, "words": peer.last_words()}


def replaced(peer, workers):
    """How many, of how many that are killed."""
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    await_that(lambda: len(peer.workers()) == len(workers), REPLACED_SEC, 0.1)
    return len(peer.workers()), len(workers)


def supervisor_killed(peer):
    """SIGKILL; 2 seconds later it is started by hand the usual way, and 5 seconds are for it to settle."""
    peer.start()
    old = set(peer.workers())
    with Load(peer.path) as load:
        load.take()
        peer.kill()
        time.sleep(2)
        alone = load.take()
        serving = len(old & set(peer.workers()))
        peer.start_again()
        time.sleep(5)
        now = set(peer.workers())
    return {"workers that serve on": (serving, 4), "requests lost in these 2 s": alone,
            "workers 5 s after the new start": len(now), "of these, old ones": len(old & now),
            "requests lost in these 5 s": load.take(), "of these workers, replaced when killed": replaced(peer, now),
            "words": "" if isinstance(peer, Systemd) else peer.last_words()}


def upgraded(peer):
    """The supervisor becomes its newest version, or what is nearest to that."""
    peer.start()
    old, pid = set(peer.workers()), peer.pid()
    with Load(peer.path) as load:
        load.take()
        load.gap = 0
        peer.upgrade()
        await_that(lambda: len(peer.workers()) == 4)
        time.sleep(3)
    return {"main pid kept": "yes" if peer.pid() == pid else "no",
            "workers kept": (len(old & set(peer.workers())), 4), "requests lost": load.take(),
            "longest time without an answer, ms": load.gap * 1000}


def term_ignored(peer):
    """All four workers ignore TERM, and a stop may take 2 seconds. nginx's are frozen instead."""
    peer.start()
    if isinstance(peer, Nginx):
        for pid in peer.workers():
            os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    peer.stop()
    if await_that(lambda: not peer.workers(), GONE_SEC) is None:
        return {"seconds until the last has gone": None}
    return {"seconds until the last has gone": time.monotonic() - began}


def scribble(path, seconds):
    """Random bytes over the whole file, as fast as they come; how many times."""
    times, until = 0, time.monotonic() + seconds
    with open(path, "r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        while time.monotonic() < until:
            os.pwrite(file.fileno(), os.urandom(size), 0)
            times += 1
    return times


def board_harmed(peer):
    """Who may write the scoreboard writes random bytes, for 5 seconds."""
    peer.start()
    pid, seen, most, over = peer.pid(), set(peer.workers()), 0, False

    def watch():
        nonlocal most
        while not over:
            now = peer.workers()
            seen.update(now)
            most = max(most, len(now))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch, daemon=True)
    before = len(seen)
    with Load(peer.path) as load:
        load.take()
        watcher.start()
        cpu = cpu_sec(pid)
        child = os.fork()
        if child == 0:
            scribble(peer.board(), HARM_SEC)
            os._exit(0)
        os.waitpid(child, 0)
        cpu = cpu_sec(pid) - cpu
        lost = load.take()
        alive = peer.process.poll() is None and peer.pid() == pid
        time.sleep(6)
        over = True
        watcher.join()
    return {"supervisor lives": "yes" if alive else "no", f"most workers at once ({peer.most} allowed)": most,
            "workers started meanwhile": len(seen) - before, "supervisor's share of a core, %": 100 * cpu / HARM_SEC,
            "requests lost": lost, "requests lost in the 6 s after": load.take(),
            "workers then (4 spare ones allowed)": len(peer.workers())}


def cpu_sec(pid):
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9
