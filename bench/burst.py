"""Growth of a pool by min spare 5, max spare 10, max 50: burst.py [ROUNDS]

taken: 5 idle workers get a connection each at once, until 5 are idle again.
held:  40 requests come at once, and none ends before all are answered: until all are answered.

The floor starts 5 or 35 workers at a signal, since so many are missing.
"""
import os
import select
import signal
import socket
import sys
import time

from benchlib import (HERE, Place, Supervisor, await_quiet, floor, have_perl_module, heading, machine,
                      median, now_ns, preforkd, program, quantile, rotated, table)

SPARE, MAX_SPARE, MAX = 5, 10, 50
SETTLE_SEC = 0.3
SOCKETS = "[socket:bench]\nlisten = unix:{}\n"
POOL = f"min_spare_workers = {SPARE}\nmax_spare_workers = {MAX_SPARE}\nsockets = bench\n"


def connect(path, count):
    clients = [socket.socket(socket.AF_UNIX) for _ in range(count)]
    began_ns = now_ns()
    for client in clients:
        client.connect(path)
    return clients, began_ns


def await_answers(clients):
    poller = select.epoll()
    for client in clients:
        poller.register(client, select.EPOLLIN)
    left = len(clients)
    while left:
        ready = poller.poll(60)
        if not ready:
            raise SystemExit(f"{left} of {len(clients)} requests were not answered in a minute")
        for fd, _ in ready:
            poller.unregister(fd)
        left -= len(ready)
    poller.close()
    return now_ns()


class Rival:
    """Anything with a socket and workers that accept on it."""

    def __init__(self, command):
        self.command = command

    def run(self, place, measure):
        path = place.name() + ".socket"
        supervisor = Supervisor(place, self.command(place, path), environment={"BENCH_LISTEN_FD": "3"})
        supervisor.await_workers(SPARE)
        time.sleep(SETTLE_SEC)
        await_quiet()
        place.fifo.drain()
        result = measure(place, path)
        supervisor.stop()
        place.fifo.drain()
        return result


def taken_ms(place, path):
    clients, began_ns = connect(path, SPARE)
    result = (max(line[1] for line in place.fifo.read(SPARE)) - began_ns) / 1e6
    for client in clients:
        client.close()
    return result


def held_ms(_, path):
    clients, began_ns = connect(path, 40)
    result = (await_answers(clients) - began_ns) / 1e6
    for client in clients:
        client.close()
    return result


class Floor:
    """So many starts in a row, when the signal comes."""

    def run(self, place, measure):
        count = SPARE if measure is taken_ms else 35
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(place.name() + ".socket")
        listener.listen()
        supervisor = Supervisor(place, floor(place, count, [program("spare_worker")]),
                                pass_fds=(listener.fileno(),),
                                environment={"BENCH_LISTEN_FD": str(listener.fileno())})
        supervisor.await_workers(count)
        time.sleep(SETTLE_SEC)
        await_quiet()
        began_ns = now_ns()
        os.kill(supervisor.pid, signal.SIGUSR1)
        result = (max(line[1] for line in place.fifo.read(count)) - began_ns) / 1e6
        supervisor.stop()
        listener.close()
        return result


def rivals():
    found = {"floor": Floor(), "preforkd": Rival(lambda place, path: preforkd(
        place, MAX, [program("spare_worker")], pool_keys=POOL + SOCKETS.format(path)))}
    if have_perl_module("Parallel::Prefork::SpareWorkers"):
        for heartbeat in "0.25", "0.01":
            found[f"SpareWorkers, heartbeat {heartbeat} s"] = Rival(
                lambda place, path, heartbeat=heartbeat: [
                    "perl", os.path.join(HERE, "spare_prefork.pl"), path, heartbeat,
                    str(SPARE), str(MAX_SPARE), str(MAX)])
    return found


def cells(values, floor_values):
    above = [value - base for value, base in zip(values, floor_values)]
    return f"{median(values):.1f}", f"{quantile(values, .9):.1f}", f"{median(above):+.1f}"


def main(rounds=15):
    known = rivals()
    result = {name: [] for name in known}
    with Place() as place:
        for turn in range(rounds):
            for name in rotated(known, turn):
                result[name].append([known[name].run(place, measure) for measure in (taken_ms, held_ms)])
    heading(f"Growth: min spare {SPARE}, max spare {MAX_SPARE}, max {MAX}, {rounds} rounds")
    machine()
    base = list(zip(*result["floor"]))
    table(["", f"{SPARE} taken until {SPARE} idle, ms", "p90", "above the floor",
           f"40 held on {SPARE} workers, ms", "p90", "above the floor"],
          [[name] + [cell for both in zip(zip(*values), base) for cell in cells(*both)]
           for name, values in result.items()])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
