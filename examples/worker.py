#!/usr/bin/env python3
"""A worker for preforkd: answers HTTP on the socket it inherits as descriptor 3.

[socket:web]  listen = :8080      [pool:py]  command = python3 worker.py   sockets = web
"""
import contextlib, os, select, signal, socket
listener = socket.socket(fileno=3)
listener.setblocking(False)  # another worker may be quicker; holds for all that share the socket
board = int(os.environ.get("PREFORKD_SCOREBOARD_FD", -1))  # none: run without a supervisor
line = int(os.environ.get("PREFORKD_SCOREBOARD_OFFSET", 0))
signal.signal(signal.SIGTERM, lambda *_: None)  # ends the wait by a byte, nothing else
bell, ringer = socket.socketpair()
ringer.setblocking(False)
signal.set_wakeup_fd(ringer.fileno())
waiting = select.epoll()  # EXCLUSIVE: a connection wakes one worker, which then has to take it
waiting.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
waiting.register(bell, select.EPOLLIN)

def put(at, text):
    if board >= 0:
        os.pwrite(board, text.encode(), line + at)

def serve(client, request=b"", body=b"Hello from Python\n"):
    client.settimeout(10)
    while b"\r\n\r\n" not in request and (part := client.recv(4096)):
        request += part
    client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
jobs, leaving = 0, False
while not leaving:
    put(0, "_")
    ready = [fd for fd, _ in waiting.poll()]
    put(0, "W")  # first busy, then the job, then the mark: so none is lost
    if listener.fileno() in ready:
        with contextlib.suppress(OSError), listener.accept()[0] as client:  # or: it went away
            serve(client)
            put(12, f"{(jobs := jobs + 1):<12}")
    leaving = bell.fileno() in ready or board >= 0 and os.pread(board, 1, line + 2) == b"R"
