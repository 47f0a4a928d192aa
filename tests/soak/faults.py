"""The faults. Each is a function of a World that does it and says in a few words what it did; those
that last leave their end to World.later(). FAULTS says how often each is drawn."""
import os
import resource
import signal
import socket
import time

from world import read

LOADED = ("web", "near", "demand", "auto", "jobs")
DEADLY = ((signal.SIGKILL,), (signal.SIGSEGV, signal.SIGCONT), (signal.SIGABRT, signal.SIGCONT))

# --- workers


def end_worker(world):
    workers = world.workers()
    if not workers:
        return "nobody there"
    chosen, numbers = world.random.choice(workers), world.random.choice(DEADLY)
    world.end([chosen], *numbers)
    return f"{numbers[0].name} to {chosen[0]}/{chosen[1]}"


def end_all(world):
    world.look()
    return f"KILL to {world.end(world.workers(), signal.SIGKILL)} workers"


def stop_worker(world):
    workers = world.workers()
    if not workers:
        return "nobody there"
    pool, slot, pid = world.random.choice(workers)
    pidfd = world.hold(pid)
    if pidfd is None:
        return "gone"
    world.send(pidfd, signal.SIGSTOP)

    def go_on():
        world.send(pidfd, signal.SIGCONT)
        os.close(pidfd)

    world.later(world.random.uniform(0.1, 3), go_on)
    return f"{pool}/{slot}"


def crash_at_once(world):
    """A program that ends as soon as it is started, for a while."""
    flag = world.path("crash")
    open(flag, "w").close()
    world.later(world.random.uniform(0.5, 3), lambda: os.path.exists(flag) and os.unlink(flag))
    return f"{world.end(world.workers('crash'), signal.SIGKILL)} ended"


# --- the scoreboard of a pool that nobody needs


def vandalise(world):
    path = world.path("run/harm.scoreboard")
    # A file that loses its name twice stays without one until the workers who have the first have left
    world.later(world.random.uniform(1, 5), lambda: world.end(world.workers("harm"), signal.SIGKILL))
    how = world.random.choice(["noise", "short", "empty", "long", "gone", "fifo", "link", "folder", "mode"])
    try:
        if how == "noise":
            with open(path, "r+b") as board:
                board.seek(world.random.randrange(200))
                board.write(world.random.randbytes(world.random.randrange(1, 400)))
        elif how in ("short", "empty", "long"):
            os.truncate(path, {"short": 100, "empty": 0, "long": 1 << 20}[how])
        elif how == "mode":
            os.chmod(path, world.random.choice([0, 0o666, 0o777]))
        else:
            os.unlink(path)
        if how == "fifo":
            os.mkfifo(path)
        elif how == "link":
            os.symlink(world.path("log-before"), path)
        elif how == "folder":
            os.mkdir(path)
    except OSError as problem:
        return f"{how}: {problem.strerror}"
    return how


# --- what the supervisor is asked for


def reload_good(world):
    world.configure()
    world.signal(signal.SIGHUP)
    return f"configuration {world.number}"


def reload_same(world):
    world.signal(signal.SIGHUP)


def reload_bad(world):
    good = world.text()
    how, text = world.random.choice([
        ("broken", good + "[pool:web\n"), ("unknown key", good + "mox_workers = 3\n"), ("empty", ""),
        ("noise", world.random.randbytes(5000)), ("cut", good[:world.random.randrange(len(good))] + "\n["),
        ("no program", good + "[pool:none]\ncommand = /nonexistent\n")])
    world.write(text)
    world.signal(signal.SIGHUP)
    world.later(world.random.uniform(0.2, 2), lambda: world.configure(change=False))
    return how


def reload_never_ready(world):
    section = ("command = sleep 86400\nsockets = web\nready = scoreboard\nmax_workers = {size}\ncrash_loop = backoff\n"
               "start_timeout = 200ms\nerr_respawn_interval = 100ms\nenvironment = GENERATION={number}\n")
    world.write(world.text(change=True, web=section))
    world.signal(signal.SIGHUP)
    # The file is read when the reload begins: a file that is mended at once may be the one
    world.later(world.random.uniform(0.5, 2), lambda: world.configure(change=False))


def reconfigure(world):
    world.configure()
    world.ask("reconfigure")
    return f"configuration {world.number}"


def restart(world):
    pool = world.random.choice(world.status["pools"])["name"]
    slot = str(world.random.randrange(4)) if world.random.random() < 0.5 else ""
    world.ask("restart", pool, slot)
    return f"{pool} {slot}"


def unscale(world):
    """All pools as they were configured. While they are drained, it would be told of that alone."""
    if any(pool["drained"] for pool in world.look()["pools"]):
        world.later(1, lambda: unscale(world))
        return
    for pool in world.status["pools"]:
        if pool["offset"]:
            world.ask("scale", pool["name"], str(pool["configured_max_workers"]))


def scale(world):
    pool = world.random.choice(LOADED)
    how = world.random.choice(["0", "1", "2", "7", "+1", "-1", "+3", "-2"])
    world.ask("scale", pool, how)
    world.later(world.random.uniform(0.5, 4), lambda: unscale(world))
    return f"{pool} {how}"


def grow_or_shrink(world):
    numbers = world.random.choices([signal.SIGTTIN, signal.SIGTTOU], k=world.random.randrange(1, 4))
    for number in numbers:
        world.signal(number)
    world.later(world.random.uniform(0.5, 4), lambda: unscale(world))
    return " ".join(number.name for number in numbers)


def drain(world):
    world.signal(signal.SIGWINCH)
    world.later(world.random.uniform(0.1, 2), lambda: world.ask("resume"))


def odd_signal(world):
    number = world.random.choice([signal.SIGALRM, signal.SIGPIPE, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG,
                                  signal.SIGIO, signal.SIGRTMIN + 3])
    world.signal(number)
    return signal.Signals(number).name if number < signal.SIGRTMIN else "RTMIN+3"


# --- the log


def log_removed(world):
    old = world.path("log/log")
    try:
        with open(old, "rb") as log, open(world.path("log-before"), "ab") as kept:
            kept.write(log.read())
        os.unlink(old)
    except OSError:
        pass
    world.signal(signal.SIGUSR1)


def log_full(world):
    filler = world.path("log/filler")
    try:
        with open(filler, "wb", buffering=0) as out:
            while out.write(bytes(4096)) == 4096:
                pass
    except OSError:
        pass
    world.later(world.random.uniform(0.5, 4), lambda: os.path.exists(filler) and os.unlink(filler))


# --- the machine


def no_descriptors(world):
    pid = world.daemon.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{pid}/fd"))
    limit = world.random.choice([3, used - 5, used, used + 2])
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))

    def lift():
        # A limit of its own may have been set meanwhile, by the next one
        if world.daemon.pid == pid:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (world.descriptor_limit, hard))

    world.descriptor_limit = max(soft, getattr(world, "descriptor_limit", soft))
    world.later(world.random.uniform(0.2, 2), lift)
    return f"limit {limit} of {used}"


def no_processes(world):
    if world.cgroup:
        with open(world.cgroup + "/pids.max", "w") as out:
            out.write("1")

        def lift():
            with open(world.cgroup + "/pids.max", "w") as out:
                out.write("max")
    else:
        pid = world.daemon.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_NPROC)
        resource.prlimit(pid, resource.RLIMIT_NPROC, (1, hard))

        def lift():
            if world.daemon.pid == pid:
                resource.prlimit(pid, resource.RLIMIT_NPROC, (hard, hard))
    world.later(world.random.uniform(0.5, 3), lift)
    return f"{world.end(world.workers('web', 'crash'), signal.SIGKILL)} workers ended"


def stop_supervisor(world):
    world.signal(signal.SIGSTOP)
    world.pause_alone(world.random.uniform(0.1, 2.5))
    world.signal(signal.SIGCONT)


# --- the supervisor's own end


def upgrade(world):
    world.signal(signal.SIGUSR2)
    world.lives += 1


def upgrade_to_nothing(world):
    how = world.random.choice(["gone", "mode", "text"])
    if how == "gone":
        os.rename(world.program, world.program + ".away")
    elif how == "mode":
        os.chmod(world.program, 0o644)
    else:
        with open(world.program + ".new", "w") as out:
            out.write("no program\n")
        os.chmod(world.program + ".new", 0o755)
        os.rename(world.program + ".new", world.program)
    world.signal(signal.SIGUSR2)
    world.later(world.random.uniform(0.2, 1), world.install)
    return how


def replace_binary(world):
    world.install()


def kill_supervisor(world):
    """And the next one takes over, perhaps after somebody else has ended."""
    for pool in (pools := world.look()["pools"]):
        pool["left"] = pool["live"] - pool["retiring"]
    daemon, world.daemon = world.daemon, None
    begun = time.monotonic()
    daemon.kill()
    daemon.wait()
    world.pause_alone(world.random.choice([0, 0, 0.1, 1]))
    ended = ""
    web = [pool for pool in pools if pool["name"] == "web" and pool["left"] > 1]
    if web and world.random.random() < 0.3:
        ended = f", {world.end(world.workers('web')[:1], signal.SIGKILL)} worker ended meanwhile"
    world.start()
    for pool in pools:
        if pool["name"] in LOADED and pool["left"] == 0:
            world.load.gap(pool["name"], begun)
    return f"life {world.lives}{ended}"


# --- clients of all kinds


def hang_up(links):
    for link in links:
        link.close()


def dial(world, count):
    links = []
    for _ in range(count):
        try:
            links.append(world.dial(limit=1))
        except OSError:
            break
    return links


def garbage(world):
    links = dial(world, world.random.randrange(1, 5))
    for link in links:
        try:
            link.sendall(world.random.choice([world.random.randbytes(3000), b"\n" * 100, b"x" * 5000, b"status",
                                              b"scale web\nstatus nobody\nstop FOO\nevents now\n"]))
        except OSError:
            pass
    hang_up(links)


def silent_clients(world):
    links = dial(world, world.random.choice([5, 80]))
    world.later(world.random.uniform(0.2, 2), lambda: hang_up(links))
    return f"{len(links)} clients"


def greedy_clients(world):
    """They ask and ask, and read nothing."""
    links = dial(world, 3)
    for link in links:
        link.setblocking(False)
        try:
            for _ in range(200):
                link.sendall(b"status\n" * 10)
        except OSError:
            pass
    world.later(world.random.uniform(0.2, 2), lambda: hang_up(links))


def slow_client(world):
    links = dial(world, 1)
    for link in links:
        try:
            for byte in b"status":
                link.sendall(bytes([byte]))
                world.pause(0.05)
        except OSError:
            pass
    hang_up(links)


def deaf_listener(world):
    """Wants to hear all events, and reads none."""
    links = dial(world, world.random.randrange(1, 4))
    for link in links:
        try:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.sendall(b"events\n")
        except OSError:
            pass
    world.later(world.random.uniform(1, 10), lambda: hang_up(links))


def end_gateway(world):
    for pid, _ in world.children(world.daemon.pid):
        if read(f"/proc/{pid}/comm").strip() == b"preforkd-http":
            os.kill(pid, world.random.choice([signal.SIGKILL, signal.SIGTERM]))


def notify_garbage(world):
    places = set()
    for _, _, pid in world.workers("near", "harm"):
        words = read(f"/proc/{pid}/environ").split(b"\0")
        places |= {word[14:] for word in words if word.startswith(b"NOTIFY_SOCKET=")}
    for place in places:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.setblocking(False)
            try:
                link.connect(place.replace(b"@", b"\0", 1) if place.startswith(b"@") else place)
                for text in (b"", b"\0" * 100, b"READY=1\n" * 8000, b"WATCHDOG=1", world.random.randbytes(500)):
                    link.send(text)
                with open("/dev/null") as null:
                    socket.send_fds(link, [b"FDSTORE=1"], [null.fileno()] * 50)
            except OSError:
                pass
    return f"to {len(places)} sockets"


FAULTS = {
    end_worker: 8, end_all: 1, stop_worker: 3, crash_at_once: 1, vandalise: 4, reload_good: 2, reload_same: 1,
    reload_bad: 2, reload_never_ready: 0.5, reconfigure: 1, restart: 2, scale: 2, grow_or_shrink: 1, drain: 0.5,
    odd_signal: 1, log_removed: 1, log_full: 1, no_descriptors: 1, no_processes: 1, stop_supervisor: 0.5,
    upgrade: 1, upgrade_to_nothing: 0.5, replace_binary: 0.5, kill_supervisor: 1, garbage: 1, silent_clients: 1,
    greedy_clients: 1, slow_client: 0.5, deaf_listener: 1, end_gateway: 1, notify_garbage: 1,
}


def is_possible(world, fault):
    if fault in (upgrade, kill_supervisor):
        return world.may_replace
    if fault is no_processes:
        return world.cgroup or os.geteuid() != 0
    return world.has_tmpfs or fault is not log_full


def draw(world, only):
    """One of those that are possible; of those named in `only`, if it is not None."""
    possible = {fault: weight for fault, weight in FAULTS.items()
                if is_possible(world, fault) and (not only or fault.__name__ in only)}
    return world.random.choices(list(possible), possible.values())[0]
