"""Cold start of N workers, and their stop: cold.py [N [ROUNDS]]

start: from the moment before the supervisor is started until the last worker's main() runs.
stop:  from TERM until all workers and the supervisor are gone.
CPU:   of the supervisor and all its workers from the start to the end of the stop. On a machine with
       neighbours this is the number to trust.
"""
import resource
import sys
import time

from benchlib import (Place, Supervisor, await_quiet, contestants, heading, machine, median, program,
                      ratio_cells, rotated, table)

SETTLE_SEC = 1.0


def children_cpu_ms():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e3


def measure(place, argv, count):
    await_quiet()
    cpu_before_ms = children_cpu_ms()
    supervisor = Supervisor(place, argv)
    start_ms = supervisor.await_workers(count)
    time.sleep(SETTLE_SEC)
    own_cpu_ms = supervisor.cpu_ms()
    await_quiet()
    stop_ms = supervisor.stop()
    return start_ms, stop_ms, children_cpu_ms() - cpu_before_ms, own_cpu_ms


def main(count=1000, rounds=9):
    worker = [program("bench_worker")]
    known = contestants()
    result = {name: [] for name in known}
    with Place() as place:
        # Once for nothing: memory that nobody used for long comes slowly on some machines.
        measure(place, known["floor"](place, count, worker), count)
        for turn in range(rounds):
            for name in rotated(known, turn):
                result[name].append(measure(place, known[name](place, count, worker), count))
    column = {name: list(zip(*values)) for name, values in result.items()}
    heading(f"Cold start and stop of {count} workers, {rounds} rounds")
    machine()
    table(["", "start, ms", "x floor (quartiles)", "stop, ms", "x floor (quartiles)",
           "CPU of all, ms", "x floor (quartiles)", "supervisor's CPU for the start, ms"],
          [[name] + [cell for values, base in zip(parts[:3], column["floor"])
                     for cell in (f"{median(values):.0f}", ratio_cells(values, base))]
           + [f"{median(parts[3]):.0f}"] for name, parts in column.items()])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
