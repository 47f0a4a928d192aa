"""What states, idleness and many workers cost: state.py [change | library | load | idle | memory]...

change: one change of state for the worker that makes it, with the supervisor's watch and without
library: calls of libprefork, beside a bare loop of pwrite(2) on the same scoreboard
load:   the supervisor's CPU while 100 workers make 1000 changes a second each
idle:   wake-ups of the supervisor in 20 s with 100 idle workers
memory: private memory of the supervisor with 1, 100 and 1000 workers
"""
import os
import subprocess
import sys
import time

from benchlib import (HERE, PATIENCE_SEC, Place, Supervisor, contestants, have_perl_module, heading, machine,
                      median, preforkd, preforkd_eager, program, ratio_cells, table)

DYNAMIC = "min_spare_workers = 100\nready = alive\n"


def told_number(place):
    return int(place.fifo.read(1, PATIENCE_SEC)[0][2])


def change_alone(place, worker):
    """The same file on the same file system, and nobody who watches it."""
    fd = os.open(place.name(), os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"." + b" " * 62 + b"\n")
    supervisor = Supervisor(place, worker, pass_fds=(fd,), environment={"PREFORKD_SCOREBOARD_FD": str(fd)})
    os.close(fd)
    result = told_number(place)
    supervisor.stop()
    return result


def change_watched(place, worker):
    supervisor = Supervisor(place, preforkd(place, 1, worker))
    result = told_number(place)
    supervisor.stop()
    return result


def change_in_perl(place, changes):
    subprocess.run(["perl", os.path.join(HERE, "spare_prefork.pl"), "set_status", str(changes)], check=True,
                   env=dict(os.environ, BENCH_FIFO=place.fifo.path))
    return told_number(place)


def change(rounds=11, changes=300000):
    worker = [program("state_writer"), "count", str(changes)]
    way = {"pwrite, unwatched": lambda: change_alone(place, worker),
           "on preforkd's scoreboard": lambda: change_watched(place, worker)}
    if have_perl_module("Parallel::Prefork::SpareWorkers"):
        way["SpareWorkers' set_status"] = lambda: change_in_perl(place, changes // 10)
    result = {name: [] for name in way}
    with Place() as place:
        for _ in range(rounds):
            for name, measure in way.items():
                result[name].append(measure() / 1e3)
    base = result["pwrite, unwatched"]
    heading(f"One change of state, for the worker, {rounds} rounds of {changes}")
    machine()
    table(["", "ns", "x unwatched (quartiles)"],
          [[name, f"{median(values):.0f}", ratio_cells(values, base)] for name, values in result.items()])


def library(rounds=11, calls=200000):
    label = {"change": "prefork_busy, prefork_idle: one of them", "done": "prefork_done", "note": "prefork_note",
             "beat": "prefork_beat", "stopping": "prefork_stopping", "job": "take, done, idle: a whole job"}
    bare = [program("state_writer"), "count", str(calls)]
    result = {name: [] for name in ["pwrite", *label]}
    with Place() as place:
        for _ in range(rounds):
            for name, values in result.items():
                worker = bare if name == "pwrite" else [program("library_writer"), name, str(calls)]
                values.append(change_watched(place, worker) / 1e3)
    base = result["pwrite"]
    heading(f"Calls of libprefork, {rounds} rounds of {calls}")
    machine()
    table(["", "ns", "x a bare pwrite (quartiles)"],
          [[label.get(name, "a bare loop of pwrite"), f"{median(values):.0f}", ratio_cells(values, base)]
           for name, values in result.items()])


def load(workers=100, per_sec=1000, seconds=10):
    worker = [program("state_writer"), "rate", str(per_sec), str(seconds)]
    with Place() as place:
        supervisor = Supervisor(place, preforkd(place, workers, worker))
        supervisor.await_workers(workers)
        time.sleep(seconds / 4)
        cpu_ms, began, wakeups = supervisor.cpu_ms(), time.monotonic(), supervisor.wakeups()
        time.sleep(seconds / 2)
        cpu_ms, took = supervisor.cpu_ms() - cpu_ms, time.monotonic() - began
        wakeups = supervisor.wakeups() - wakeups
        made = sum(int(line[2]) for line in place.fifo.read(workers))
        supervisor.stop()
    heading(f"{workers} workers, {per_sec} changes a second each, {seconds} s")
    machine()
    table(["changes a second", "supervisor's CPU, % of a core", "its wake-ups a second"],
          [[f"{made / seconds:.0f}", f"{cpu_ms / took / 10:.2f}", f"{wakeups / took:.0f}"]])


def idle(workers=100, seconds=20):
    worker = [program("bench_worker")]
    known = dict(contestants(), **{"preforkd, dynamic": lambda place, count, worker: preforkd(
        place, count, worker, pool_keys=DYNAMIC)})
    with Place() as place:
        running = {}
        for name, argv in known.items():
            running[name] = Supervisor(place, argv(place, workers, worker))
            running[name].await_workers(workers)
        time.sleep(3)
        before = {name: (supervisor.wakeups(), supervisor.cpu_ms()) for name, supervisor in running.items()}
        time.sleep(seconds)
        rows = [[name, supervisor.wakeups() - before[name][0], f"{supervisor.cpu_ms() - before[name][1]:.2f}"]
                for name, supervisor in running.items()]
        for supervisor in running.values():
            supervisor.stop()
    heading(f"{workers} idle workers for {seconds} s")
    machine()
    table(["", "wake-ups", "CPU, ms"], rows)


def memory_of(argv, count):
    with Place() as place:
        supervisor = Supervisor(place, argv(place, count, [program("bench_worker")]))
        supervisor.await_workers(count)
        time.sleep(1.5)
        result = supervisor.private_kib()
        supervisor.stop()
        return result


def memory(counts=(1, 100, 1000)):
    rows = []
    for name, argv in contestants().items():
        kib = [memory_of(preforkd if argv is preforkd_eager else argv, count) for count in counts]
        rows.append([name, *kib, f"{(kib[-1] - kib[0]) / (counts[-1] - counts[0]):.2f}"])
    heading("Private memory of the supervisor")
    machine()
    table(["", *(f"{count} workers, KiB" for count in counts), "KiB for each further worker"], rows)


def main(*parts):
    known = {"change": change, "library": library, "load": load, "idle": idle, "memory": memory}
    for part in parts or known:
        known[part]()


if __name__ == "__main__":
    main(*sys.argv[1:])
