#!/usr/bin/env python3
"""A job worker: does by name what clients ask it to (PROTOCOL.md), one job at a time.

    preforkd -c jobs.ini                    many of it, on a socket of preforkd
    preforkd -c jobs.ini run jobs           one, in the foreground
    worker.py --listen 127.0.0.1:9090       one, without preforkd

Functions of one's own are Python files named as arguments: `worker.py thumbnails.py`, with

    from worker import function, cascade, request

    @function
    def thumbnail(args):
        return ...
"""
import argparse
import json
import os
import random
import runpy
import select
import signal
import socket
import sys
import tempfile
import time
import traceback

from client import LINE_LIMIT, Client, read_line, split_address

sys.modules["worker"] = sys.modules[__name__]  # for the files of functions
READ_LIMIT = 10  # seconds for a client to send its line, or to take its answer
STOP_SIGNALS = [signal.SIGTERM, signal.SIGQUIT]
functions = {}


def function(code):
    """Clients may call this by its name, with one value."""
    functions[code.__name__] = code
    return code


def cascade(name, args=None):
    """Another function, by this worker itself."""
    return functions[name](args)


def request(name, args=None):
    """Another function, by any worker of JOBS_SERVERS; by this one itself when it is the only one."""
    servers = os.environ.get("JOBS_SERVERS", "").split()
    if board.fd < 0 or not servers:
        return cascade(name, args)
    board.state(">")
    try:
        return Client(servers).request(name, args)
    finally:
        board.state("W")


class Board:
    """This worker's line of preforkd's scoreboard; without preforkd nothing happens."""

    def __init__(self):
        self.fd = int(os.environ.get("PREFORKD_SCOREBOARD_FD", -1))
        self.line = int(os.environ.get("PREFORKD_SCOREBOARD_OFFSET", 0))
        self.jobs = 0
        if self.fd >= 0:
            os.set_inheritable(self.fd, False)

    def put(self, at, text):
        if self.fd >= 0:
            os.pwrite(self.fd, text.encode("ascii", "replace"), self.line + at)

    def state(self, letter):
        self.put(0, letter)

    def note(self, text):
        self.put(25, f"{text:<38.38}")

    def done(self):
        self.jobs += 1
        self.put(12, f"{self.jobs:<12}")

    def is_leaving(self):
        return self.fd >= 0 and os.pread(self.fd, 1, self.line + 2) == b"R"


board = Board()

# --- one request


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def understand(line):
    """The function, its argument, and whether in the background."""

    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    try:
        message = json.loads(line.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as problem:
        raise Refused("bad_request", f"not a line of JSON: {problem}") from None
    if not isinstance(message, dict) or not isinstance(message.get("function"), str):
        raise Refused("bad_request", "not an object with a function")
    if not isinstance(message.get("background", False), bool):
        raise Refused("bad_request", "background is neither true nor false")
    if message["function"] not in functions:
        raise Refused("unknown_function", message["function"])
    return message["function"], message.get("args"), message.get("background", False)


def perform(name, args):
    try:
        answer = json.dumps({"result": cascade(name, args)}, allow_nan=False)
        if len(answer) >= LINE_LIMIT:
            raise ValueError("the result is longer than a line may be")
        return answer
    except Exception as problem:
        traceback.print_exc()
        return failure("failed", f"{type(problem).__name__}: {problem}")


def failure(code, message):
    return json.dumps({"error": code, "message": message[:1000]})


def say(client, text):
    client.settimeout(READ_LIMIT)
    client.sendall(text.encode() + b"\n")
    client.shutdown(socket.SHUT_WR)


def serve(client):
    board.state("r")
    line = read_line(client, time.monotonic() + READ_LIMIT)
    if line is None:
        return
    try:
        name, args, is_background = understand(line)
    except Refused as refused:
        say(client, failure(refused.code, str(refused)))
        return
    board.state("B" if is_background else "W")
    board.note(name)
    if is_background:
        say(client, json.dumps({"accepted": True}))
        client.close()
        perform(name, args)
    else:
        say(client, perform(name, args))


# --- one connection after another


def inherited_sockets():
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    numbers = range(3, 3 + int(os.environ.get("LISTEN_FDS", 0)))
    return [socket.socket(fileno=number) for number in numbers]


def listen(address):
    family, place = split_address(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(place)
    listener.listen(128)
    return listener


def accept_one(listener):
    try:
        client, _ = listener.accept()
    except OSError:
        return  # another worker took it, or the client went away
    with client:
        try:
            serve(client)
        except OSError:
            pass  # the client went away, or was too slow
    board.done()


def work(listeners):
    for listener in listeners:
        listener.setblocking(False)  # another worker may be quicker
    board.put(12, f"{0:<12}")  # jobs are counted: so request_timeout can tell them apart
    while True:
        board.state("_")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # idle: they end us
        ready, _, _ = select.select(listeners, [], [])
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # busy: they wait for the end
        board.state("W")  # first busy, then the mark, then the job: so none is lost
        if board.is_leaving():
            return
        accept_one(random.choice(ready))


# --- functions that come along


@function
def echo(args):
    return args


@function
def nothing(_):
    return None


@function
def add(args):
    return sum(args)


@function
def square(args):
    return args * args


@function
def sum_of_squares(args):
    return cascade("add", [cascade("square", number) for number in args])


@function
def sum_of_squares_by_others(args):
    return request("add", [request("square", number) for number in args])


@function
def sleep(args):
    time.sleep(args)
    return args


@function
def who(_):
    """Who answers."""
    return {
        "name": os.environ.get("PREFORKD_NAME", ""),
        "generation": int(os.environ.get("PREFORKD_GENERATION", 0)),
        "pid": os.getpid(),
    }


@function
def keep(args):
    """Keeps a text as a new file in JOBS_FOLDER, and returns its name."""
    fd, path = tempfile.mkstemp(prefix="job-", dir=os.environ["JOBS_FOLDER"])
    with open(fd, "w") as out:
        out.write(args)
    return os.path.basename(path)


def main():
    options = argparse.ArgumentParser(description="Does jobs for clients.")
    options.add_argument("--listen", metavar="ADDRESS", help="HOST:PORT or unix:PATH")
    options.add_argument("files", nargs="*", help="Python files with more functions")
    words = options.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for path in words.files:
        runpy.run_path(path)
    listeners = [listen(words.listen)] if words.listen else inherited_sockets()
    if not listeners:
        options.error("no socket is inherited, and none is named by --listen")
    work(listeners)


if __name__ == "__main__":
    main()
