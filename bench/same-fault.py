"""The same fault in five supervisors: same-fault.py [RUNS [FAULT...]]

    fork, killed, upgrade, term, board: which faults (default: all)

preforkd beside nginx, supervisord, s6 and systemd from Debian, each run from a temporary folder, with
four workers, by root. Faults that are mostly waiting are done to all at once, others to one after the other.
"""
import os
import shutil
import signal
import sys
import threading
import traceback

import faults
from benchlib import Place, heading, machine, median, table
from peers import GROUPS, PEERS, NginxFast, PreforkdDynamic, SupervisordPatient, SystemdUnlimited

NEEDED = ["nginx", "supervisord", "s6-svscan", "systemctl", "nsenter"]

# What is done, to whom besides the five, and whether to all at once
FAULTS = {
    "fork": ("1. fork fails for 8 s, the workers are killed meanwhile", faults.fork_fails,
             PEERS + [SupervisordPatient, SystemdUnlimited], True),
    "killed": ("2. SIGKILL for the supervisor, a new start 2 s later, SIGKILL for all workers 5 s later",
               faults.supervisor_killed, PEERS, False),
    "upgrade": ("3. upgrade", faults.upgraded, PEERS, False),
    "term": ("4. workers ignore TERM, stop timeout 2 s", faults.term_ignored, PEERS + [NginxFast], True),
    "board": ("5. random bytes over the scoreboard for 5 s", faults.board_harmed, [PreforkdDynamic], False),
}
NEVER = {faults.fork_fails: f"not within {faults.BACK_SEC} s", faults.term_ignored: f"not within {faults.GONE_SEC} s"}


def once(fault, kind, place):
    """One run: what was seen, or nothing, with the reason on stderr."""
    try:
        peer = kind(place, stubborn=fault is faults.term_ignored)
        try:
            return fault(peer)
        finally:
            peer.end()
    except Exception:
        print(f"{kind.name}:", file=sys.stderr)
        traceback.print_exc()
        return {}


def all_at_once(fault, kinds, place):
    seen = {}
    threads = [threading.Thread(target=lambda kind=kind: seen.update({kind: once(fault, kind, place)}))
               for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def measured(fault, kinds, together, place, runs):
    """{kind: [what was seen in a run]}"""
    found = {kind: [] for kind in kinds}
    for _ in range(runs):
        seen = all_at_once(fault, kinds, place) if together else {kind: once(fault, kind, place) for kind in kinds}
        for kind in kinds:
            found[kind] += [seen[kind]] if seen[kind] else []
    return found


def number(value):
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def cell(values, never):
    """The median of what was seen, with the extremes where they differ."""
    if not values:
        return "not measured"
    if isinstance(values[0], str):
        return ", ".join(sorted(set(values)))
    if isinstance(values[0], tuple):
        lost, of = zip(*values)
        return f"{median(lost):.0f} of {median(of):.0f}"
    infinite = [float("inf") if value is None else value for value in values]
    texts = [never if value == float("inf") else number(value)
             for value in (median(infinite), min(infinite), max(infinite))]
    return texts[0] if texts[1] == texts[2] else f"{texts[0]} ({texts[1]}-{texts[2]})"


def show(title, fault, found):
    labels = [label for seen in found.values() for run in seen for label in run if label != "words"]
    heading(title)
    table([""] + [kind.name for kind in found],
          [[label] + [cell([run[label] for run in seen if label in run], NEVER.get(fault))
                      for seen in found.values()] for label in dict.fromkeys(labels)])
    for kind, seen in found.items():
        words = [run["words"] for run in seen if run.get("words")]
        if words:
            print(f"- {kind.name} at last: `{words[-1]}`", flush=True)
    print()


def main(runs="3", *names):
    lacking = [name for name in NEEDED if not shutil.which(name)]
    if lacking or os.geteuid() != 0 or not os.access(GROUPS, os.W_OK):
        raise SystemExit(f"this needs root, control groups of the pids controller in {GROUPS}, and "
                         "apt-get install nginx-light supervisor s6 systemd; lacking: " + " ".join(lacking))
    heading(f"The same fault in five supervisors, {runs} runs")
    machine()
    print("\n" + ", ".join(kind.version() for kind in PEERS) + "\n", flush=True)
    for name in names or FAULTS:
        title, fault, kinds, together = FAULTS[name]
        with Place() as place:
            show(title, fault, measured(fault, kinds, together, place, int(runs)))


if __name__ == "__main__":
    # Whoever ends it gets all peers ended
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(*sys.argv[1:])
