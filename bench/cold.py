"""Cold start of N workers, and their stop: cold.py [N [ROUNDS]]

start: from the moment before the supervisor is started until the last worker's main() runs.
stop:  from TERM until all workers and the supervisor are gone.
"""
import sys
import time

from benchlib import (Place, Supervisor, contestants, heading, machine, median, program, ratio_cells,
                      rotated, table)

SETTLE_SEC = 1.0


def measure(place, argv, count):
    supervisor = Supervisor(place, argv)
    start_ms = supervisor.await_workers(count)
    time.sleep(SETTLE_SEC)
    cpu_ms = supervisor.cpu_ms()
    return start_ms, supervisor.stop(), cpu_ms


def main(count=1000, rounds=9):
    worker = [program("bench_worker")]
    known = contestants()
    result = {name: [] for name in known}
    with Place() as place:
        for turn in range(rounds):
            for name in rotated(known, turn):
                result[name].append(measure(place, known[name](place, count, worker), count))
    column = {name: list(zip(*values)) for name, values in result.items()}
    heading(f"Cold start and stop of {count} workers, {rounds} rounds")
    machine()
    table(["", "start, ms", "x floor (quartiles)", "stop, ms", "x floor (quartiles)",
           "supervisor's CPU for the start, ms"],
          [[name, f"{median(start):.0f}", ratio_cells(start, column["floor"][0]),
            f"{median(stop):.1f}", ratio_cells(stop, column["floor"][1]), f"{median(cpu):.0f}"]
           for name, (start, stop, cpu) in column.items()])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
