"""Instructions of the supervisor in user space: instructions.py

Counted one by one by count_instructions, so that no neighbour on the machine changes the result:
  start      one of 30 that a resume begins, without what a resume of 10 costs
  exit       one of 30 of a stop, likewise
  respawn    kill -9 of one of 100, to the start of the new one
  idle       one changed byte of the scoreboard seen with 100 or 1000 slots, nothing to be done
"""
import os
import signal
import subprocess
import sys
import time

from benchlib import Place, Supervisor, heading, machine, median, preforkd, program, table

MANY, FEW = 30, 10
KEYS = "min_uptime = 0"
SIGNALS = "[signals]\nWINCH = drain\nUSR2 = resume\n"


class Counter:
    """On the processor of the supervisor: a step is two switches between the two."""

    def __init__(self, pid):
        processor = {min(os.sched_getaffinity(0))}
        self.process = subprocess.Popen([program("count_instructions"), str(pid)],
                                        stdout=subprocess.PIPE, text=True)
        for each in pid, self.process.pid:
            os.sched_setaffinity(each, processor)
        assert self.process.stdout.readline() == "ready\n", "ptrace is not allowed"

    def take(self):
        """The count since the last time, once the supervisor sleeps."""
        total, more = 0, 1
        while more:
            time.sleep(0.1)
            self.process.send_signal(signal.SIGUSR1)
            more = int(self.process.stdout.readline())
            total += more
        return total

    def take_last(self):
        return int(self.process.stdout.readline())


def begin(place, count):
    keys = KEYS + "\n" + SIGNALS
    supervisor = Supervisor(place, preforkd(place, count, [program("bench_worker")], pool_keys=keys))
    supervisor.await_workers(count)
    time.sleep(0.5)
    return supervisor


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def start_and_stop(place, count):
    supervisor = begin(place, count)
    supervisor.process.send_signal(signal.SIGWINCH)
    while children(supervisor.pid):
        time.sleep(0.05)
    counter = Counter(supervisor.pid)
    supervisor.process.send_signal(signal.SIGUSR2)
    supervisor.workers = [line[0] for line in place.fifo.read(count)]
    starts = counter.take()
    supervisor.process.send_signal(signal.SIGTERM)
    stops = counter.take_last()
    supervisor.process.wait()
    place.running.remove(supervisor)
    return starts, stops


def respawn(place, count, kills=10):
    supervisor = begin(place, count)
    counter = Counter(supervisor.pid)
    result = 0
    for _ in range(kills):
        os.kill(supervisor.workers.pop(0), signal.SIGKILL)
        supervisor.workers.append(place.fifo.read(1)[0][0])
        result += counter.take() / kills
    supervisor.kill()
    return result


def idle(place, count, changes=8):
    """Of a static pool, which decides nothing by the states but looks at them all the same."""
    supervisor = begin(place, count)
    counter = Counter(supervisor.pid)
    folder = f"{place.folder}/run{place.number - 1}.run"
    with open(f"{folder}/bench.scoreboard", "r+b", buffering=0) as board:
        count = []
        for state in b"_A" * (changes // 2):
            os.pwrite(board.fileno(), bytes([state]), 0)
            count.append(counter.take())
    supervisor.kill()
    return median(count)


def main():
    with Place() as place:
        many, few = start_and_stop(place, MANY), start_and_stop(place, FEW)
        rows = [["start", round((many[0] - few[0]) / (MANY - FEW))],
                ["exit", round((many[1] - few[1]) / (MANY - FEW))],
                ["respawn, of 100", round(respawn(place, 100))],
                ["idle, 100 slots", round(idle(place, 100))],
                ["idle, 1000 slots", round(idle(place, 1000))]]
    heading("Instructions of the supervisor in user space")
    machine()
    table(["one", "instructions"], rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
