#!/usr/bin/env python3
"""Asks job workers (PROTOCOL.md): spreads requests over several hosts, goes on when one is cut off.

    client.py -s 10.0.0.1:9090,10.0.0.2:9090 add '[1, 2]'

    jobs = Client(["10.0.0.1:9090", "10.0.0.2:9090", "unix:/run/jobs.sock"])
    jobs.request("add", [1, 2])                             3
    jobs.request_background("keep", "for later")            as soon as a worker has it
    jobs.request_multi([("add", [1, 2]), ("echo", "a")])    [3, "a"], both at the same time
"""
import argparse
import concurrent.futures
import json
import socket
import sys
import threading
import time

LINE_LIMIT = 1 << 20


class JobError(Exception):
    """A worker answered that it could not do it; `code` says why."""

    def __init__(self, code, message=""):
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code


class NoServer(Exception):
    """No host took the request: it was not begun anywhere."""


class Lost(Exception):
    """A worker may have taken the request, and there was no answer: it may be done, or half done."""


def split_address(address):
    """What socket(2) and connect(2) want for HOST:PORT, [V6]:PORT and unix:PATH."""
    if address.startswith("unix:"):
        path = address[5:]
        return socket.AF_UNIX, "\0" + path[1:] if path.startswith("@") else path
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return socket.AF_INET6 if ":" in host else socket.AF_INET, (host, int(port))


def connect(address, limit, dead_after):
    family, place = split_address(address)
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.settimeout(limit)
        if family != socket.AF_UNIX:
            # A host that is cut off says nothing; one that works for long acknowledges our probes
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(dead_after * 1000))
        server.connect(place)
    except BaseException:
        server.close()
        raise
    return server


def read_line(peer, until):
    """One line without its end; None when the other side closed first."""
    line = bytearray()
    while not line.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        peer.settimeout(left)
        part = peer.recv(65536)
        if not part or len(line) + len(part) > LINE_LIMIT:
            return None
        line += part
    return bytes(line[:-1])


class Client:
    """May be used by several threads at once.

    timeout          seconds for an answer, counted from the request
    connect_timeout  a host that takes no connection within so long is passed over
    dead_after       one that does not even acknowledge for so long is cut off
    rest             so long a host that is cut off is asked only when all others are, too
    again            a request whose answer got lost is done again by another host: for functions that
                     may be done twice. Otherwise it raises Lost
    """

    def __init__(self, servers, timeout=10, connect_timeout=1, dead_after=3, rest=5, again=False):
        if not servers:
            raise ValueError("no servers")
        self.servers = list(servers)
        self.timeout, self.connect_timeout, self.dead_after = timeout, connect_timeout, dead_after
        self.rest, self.again = rest, again
        self.turn = 0
        self.rests_until = dict.fromkeys(self.servers, 0.0)
        self.lock = threading.Lock()

    def request(self, function, args=None):
        """What the function returns."""
        return self._ask({"function": function, "args": args}).get("result")

    def request_background(self, function, args=None):
        """True as soon as a worker has begun; what the function returns is dropped."""
        return self._ask({"function": function, "args": args, "background": True})["accepted"]

    def request_multi(self, requests):
        """Many (function, args) at the same time: their results in this order, an exception in the
        place of each that failed."""
        return self._at_once(self.request, requests)

    def request_background_multi(self, requests):
        return self._at_once(self.request_background, requests)

    def _at_once(self, ask, requests):
        def one(request):
            try:
                return ask(*request)
            except (JobError, NoServer, Lost) as problem:
                return problem

        if not requests:
            return []
        with concurrent.futures.ThreadPoolExecutor(max_workers=min(len(requests), 64)) as pool:
            return list(pool.map(one, requests))

    def _hosts(self):
        """All, beginning at the next one in turn; those that rest come last."""
        with self.lock:
            turn = self.turn = (self.turn + 1) % len(self.servers)
            now = time.monotonic()
            hosts = self.servers[turn:] + self.servers[:turn]
            return sorted(hosts, key=lambda host: self.rests_until[host] > now)

    def _rest(self, host):
        with self.lock:
            self.rests_until[host] = time.monotonic() + self.rest

    def _ask(self, message):
        line = json.dumps(message, allow_nan=False).encode() + b"\n"
        if len(line) > LINE_LIMIT:
            raise JobError("bad_request", "longer than a line may be")
        problems = []
        for host in self._hosts():
            try:
                return self._ask_host(host, line)
            except Lost as problem:
                if not self.again:
                    raise
                problems.append((host, problem))
            except OSError as problem:
                self._rest(host)
                problems.append((host, problem))
        what = "; ".join(f"{host}: {problem}" for host, problem in problems)
        lost = any(isinstance(problem, Lost) for _, problem in problems)
        raise Lost(what) if lost else NoServer(what)

    def _ask_host(self, host, line):
        """OSError: the worker has not got the end of the line, so it has not begun."""
        until = time.monotonic() + self.timeout
        with connect(host, self.connect_timeout, self.dead_after) as server:
            server.settimeout(self.timeout)
            server.sendall(line)
            try:
                answer = read_line(server, until)
            except ConnectionResetError:
                answer = None
            except socket.timeout:
                raise Lost(f"no answer in {self.timeout} s") from None
            except OSError as problem:
                self._rest(host)  # the network, not the worker
                raise Lost(str(problem)) from problem
        if answer is None:
            raise Lost("the worker ended without an answer")
        return self._understand(answer)

    def _understand(self, line):
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Lost("the answer is not one")
        if "error" in answer:
            raise JobError(answer["error"], answer.get("message", ""))
        return answer


def main():
    options = argparse.ArgumentParser(description="Asks job workers to do something.")
    options.add_argument("-s", "--servers", default="127.0.0.1:9090", help="ADDRESS[,ADDRESS...]")
    options.add_argument("-t", "--timeout", type=float, default=10, help="seconds, default 10")
    options.add_argument("--again", action="store_true", help="ask another when an answer got lost")
    options.add_argument("--background", action="store_true", help="do not wait until it is done")
    options.add_argument("function")
    options.add_argument("args", nargs="?", default="null", help="as JSON")
    words = options.parse_args()
    try:
        args = json.loads(words.args)
    except ValueError as problem:
        options.error(f"not JSON: {problem}")
    client = Client(words.servers.split(","), timeout=words.timeout, again=words.again)
    ask = client.request_background if words.background else client.request
    try:
        print(json.dumps(ask(words.function, args)))
    except (JobError, NoServer, Lost) as problem:
        sys.exit(f"client.py: {type(problem).__name__}: {problem}")


if __name__ == "__main__":
    main()
