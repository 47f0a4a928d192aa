#!/usr/bin/env python3
"""A worker for preforkd: answers HTTP on the socket it inherits as descriptor 3.

[socket:web]  listen = :8080      [pool:py]  command = python3 worker.py   sockets = web
"""
import os, select, signal, socket
listener = socket.socket(fileno=3)
listener.setblocking(False)  # another worker may be quicker; holds for all that share the socket
board = int(os.environ.get("PREFORKD_SCOREBOARD_FD", -1))  # none: run without a supervisor
line = int(os.environ.get("PREFORKD_SCOREBOARD_OFFSET", 0))
def put(at, text):
    if board >= 0:
        os.pwrite(board, text.encode(), line + at)

def is_leaving():
    return board >= 0 and os.pread(board, 1, line + 2) == b"R"

def serve(client, body=b"Hello from Python\n"):
    client.settimeout(10)
    request = b""
    while b"\r\n\r\n" not in request and (part := client.recv(4096)):
        request += part
    client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
jobs = 0
while True:
    put(0, "_")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # idle: TERM ends us
    select.select([listener], [], [])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # busy: TERM waits for the end
    put(0, "W")  # first busy, then the mark, then the job: so none is lost
    if is_leaving():
        break
    try:
        with listener.accept()[0] as client:
            serve(client)
            jobs += 1
            put(12, f"{jobs:<12}")
    except OSError:
        pass  # somebody else took it, or the client went away
