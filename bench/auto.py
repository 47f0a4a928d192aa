"""What auto_scoreboard costs a program that knows nothing of it.

    auto.py [ROUNDS]

One program, in turns without and with the library preloaded: what it spends on one connection,
from before accept(2) until after close(2), on a blocking and on a non-blocking listening socket, with
and without a request of HTTP. Beside it, what the bare system calls alone cost: the three writes and the one
read of a line that nobody can do without.
"""
import os
import socket
import subprocess
import sys

from benchlib import BUILD, Place, heading, machine, median, program, quantile, table

LIBRARY = os.path.join(BUILD, "src", "libprefork", ".libs", "libprefork-auto.so")
CONNECTIONS = 20000
LISTENER, BOARD = 3, 4


def listening(blocking):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1000)
    listener.setblocking(blocking)
    return listener


def worker_environment():
    return dict(os.environ, LD_PRELOAD=LIBRARY, PREFORKD_AUTO="1", LISTEN_FDS="1",
                PREFORKD_SCOREBOARD_FD=str(BOARD), PREFORKD_SCOREBOARD_OFFSET="0")


def nanoseconds(place, listener, preloaded, words):
    """Of one connection."""
    board = os.open(place.name(), os.O_RDWR | os.O_CREAT, 0o600)
    os.write(board, b"." + b" " * 62 + b"\n")

    def prepare():
        os.setpgid(0, 0)
        os.pwrite(board, b"%d" % os.getpid(), 3)  # as the supervisor does
        for fd, target in ((listener.fileno(), 30), (board, 31)):
            os.dup2(fd, target)
        os.dup2(30, LISTENER)
        os.dup2(31, BOARD)
        os.closerange(BOARD + 1, 64)

    output = subprocess.run([program("accept_loop"), str(CONNECTIONS), *words], preexec_fn=prepare, check=True,
                            close_fds=False, stdout=subprocess.PIPE,
                            env=worker_environment() if preloaded else os.environ).stdout
    jobs = os.pread(board, 12, 12).split()
    os.close(board)
    if preloaded and words == ["answer"] and jobs != [b"%d" % CONNECTIONS]:
        raise SystemExit(f"it counted {jobs}")
    return int(output)


def row(place, blocking, words, calls, rounds):
    """In pairs; calls: in place of the library."""
    with listening(blocking) as listener:
        pairs = [(nanoseconds(place, listener, False, words),
                  nanoseconds(place, listener, not calls, calls or words)) for _ in range(rounds)]
    more = [with_it - bare for bare, with_it in pairs]
    return ["blocking" if blocking else "non-blocking", "a request" if words else "nothing",
            "the bare calls" if calls else "the library", f"{median([bare for bare, _ in pairs]):.0f}",
            f"{median([with_it for _, with_it in pairs]):.0f}",
            f"+{median(more):.0f} ({quantile(more, .25):.0f}-{quantile(more, .75):.0f})"]


def main(rounds=11):
    with Place() as place:
        rows = [row(place, False, [], ["calls"], rounds)]
        rows += [row(place, blocking, words, None, rounds)
                 for blocking in (True, False) for words in ([], ["answer"])]
    heading(f"auto_scoreboard: one connection, {rounds} rounds of {CONNECTIONS}")
    machine()
    table(["listening socket", "each brings", "with", "bare, ns", "with it, ns", "more, ns (quartiles)"], rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
