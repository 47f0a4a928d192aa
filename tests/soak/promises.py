"""What must hold of the world once the faults are over."""
import math
import os
import time

from world import LINE, SLOWNESS, TICK, Violation, process_state, read

SETTLE_LIMIT = 40 * SLOWNESS  # seconds, for all to be as it should


def settle(world):
    """Ends all faults that last; then within a bound everything is as it should be."""
    world.undo(math.inf)
    until = time.monotonic() + SETTLE_LIMIT
    while True:
        world.tick()
        world.look()
        problem = problem_of(world)
        if not problem:
            break
        if time.monotonic() > until:
            raise Violation(f"after {SETTLE_LIMIT:.0f} s still: {problem}")
        world.pause(2 * TICK)
    world.load.judge()
    if b"ERROR: " in (noise := read(world.path("stderr"))) or b"runtime error: " in noise:
        raise Violation("a sanitizer has something to say in stderr")


def problem_of(world):
    """What is not yet as it should be, in words; None if nothing."""
    if world.status["phase"] != "running":
        return f"phase {world.status['phase']}"
    for pool in world.status["pools"]:
        if problem := of_pool(pool):
            return f"pool {pool['name']}: {problem}"
    return outside(world) or nobody_else(world)


def of_pool(pool):
    serving = pool["idle"] + pool["busy"] + pool["unknown"]
    spare = pool["idle"] + pool["unknown"]
    if pool["starting"] or pool["retiring"] or pool["roll"] or pool["drained"] or pool["offset"]:
        return {key: pool[key] for key in ("starting", "retiring", "roll", "drained", "offset")}
    if not pool["dynamic"] and serving != pool["max_workers"]:
        return f"{serving} workers of {pool['max_workers']}"
    if not pool["dynamic"]:
        return None
    if serving > pool["max_workers"]:
        return f"{serving} workers of {pool['max_workers']}"
    if spare < pool["min_spare_workers"] and serving < pool["max_workers"]:
        return f"{spare} spare of {serving}"
    return None


def outside(world):
    try:
        with world.dial("http") as link:
            link.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            if b" 200 " not in link.recv(4096):
                return "the page is not healthy"
    except OSError as problem:
        return f"http: {problem}"
    if not os.path.exists(world.path("log/log")):
        return "no log"
    board = read(world.path("run/harm.scoreboard"))
    for _, slot, pid in world.workers("harm"):
        if not board[slot * LINE:].startswith(b"%-8d" % pid, 3):
            return f"slot {slot} of harm's scoreboard does not name {pid}: {board[slot * LINE:][:LINE]}"
    return None


def nobody_else(world):
    """Nobody but the supervisor, its gateway and the workers; no zombie."""
    known = {pid for _, _, pid in world.workers()} | {world.daemon.pid}
    gateways = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        pid, state = int(name), process_state(name)
        if not state or pid in known or not (
                state[1] == world.daemon.pid or world.marker in read(f"/proc/{pid}/environ").split(b"\0")):
            continue
        command = read(f"/proc/{pid}/comm").strip().decode()
        if command == "preforkd-http" and state[0] != "Z":
            gateways += 1
            continue
        return f"process {pid} ({command}, {state[0]}, parent {state[1]}) is nobody's"
    gone = [pid for pid in known if not process_state(pid)]
    return f"{gateways} gateways" if gateways != 1 else f"{gone} are not there" if gone else None
