"""From kill -9 of one of 40 grown workers to the exec of the new one: respawn.py [KILLS]

All contestants run at the same time, and the kills go round: the floor and its rivals are measured
within milliseconds of each other.
"""
import os
import signal
import sys
import time

from benchlib import (Place, Supervisor, await_quiet, contestants, heading, machine, median, now_ns,
                      program, quantile, ratio_cells, rotated, table)

WORKERS = 40
GROWN_KIB = 8192
SETTLE_SEC = 1.5
PAUSE_SEC = 0.005


def respawn_ms(place, supervisor):
    victim = supervisor.workers.pop(0)
    began_ns = now_ns()
    os.kill(victim, signal.SIGKILL)
    pid, told_ns, _ = place.fifo.read(1)[0]
    supervisor.workers.append(pid)
    return (told_ns - began_ns) / 1e6


def start(place, argv):
    supervisor = Supervisor(place, argv)
    supervisor.await_workers(WORKERS)
    return supervisor


def main(kills=400):
    worker = [program("bench_worker"), str(GROWN_KIB)]
    known = contestants()
    result = {name: [] for name in known}
    with Place() as place:
        running = {name: start(place, argv(place, WORKERS, worker)) for name, argv in known.items()}
        time.sleep(SETTLE_SEC)
        for turn in range(kills):
            if turn % 10 == 0:
                await_quiet()
            for name in rotated(known, turn):
                result[name].append(respawn_ms(place, running[name]))
                time.sleep(PAUSE_SEC)
        for supervisor in running.values():
            supervisor.stop()
    heading(f"Respawn of one of {WORKERS} workers of {GROWN_KIB // 1024} MiB after kill -9, {kills} kills")
    machine()
    table(["", "median, ms", "p99, ms", "x floor (quartiles)"],
          [[name, f"{median(values):.2f}", f"{quantile(values, .99):.2f}",
            ratio_cells(values, result["floor"])] for name, values in result.items()])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
