"""A program on a terminal of its own, and what stands on that terminal's screen."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

SLOWNESS = int(os.environ.get("PREFORKD_TEST_SLOWNESS", "1"))
PATIENCE = 15 * SLOWNESS


class Terminal:
    """Runs `command` on a pty; use as a context."""

    def __init__(self, command, columns=120, rows=40, **environment):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.status = None
        given = {"TERM": "linux", "LC_ALL": "C.UTF-8", **environment}
        kept = {name: value for name, value in os.environ.items()
                if name not in ("NO_COLOR", "LINES", "COLUMNS", "LANG")}
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            self._set_size(0, columns, rows)
            os.execvpe(command[0], command, {**kept, **given})
        self._set_size(self.master, columns, rows)

    @staticmethod
    def _set_size(fd, columns, rows):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.master >= 0:
            os.close(self.master)

    def read(self, seconds):
        """Takes what the program writes within that time; false at its end."""
        ready, _, _ = select.select([self.master], [], [], max(0, seconds))
        if not ready:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            data = b""
        self.raw += data
        self.stream.feed(data)
        return bool(data)

    def settle(self, seconds):
        """Reads for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.read(until - time.monotonic()):
            pass

    def _waiting(self):
        return select.select([self.master], [], [], 0)[0]

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, wanted, within=PATIENCE):
        """Until the text is there, or a function of the whole text says yes."""
        good = wanted if callable(wanted) else lambda text: wanted in text
        until = time.monotonic() + within
        while not good(self.text()):
            left = until - time.monotonic()
            if left <= 0 or not self.read(left):
                raise AssertionError(f"not seen: {wanted}\n{self.text()}")
        return self.text()

    def wait_gone(self, unwanted):
        return self.wait(lambda text: unwanted not in text)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        self._set_size(self.master, columns, rows)

    def hang_up(self):
        os.close(self.master)
        self.master = -1

    def end(self):
        """Waits for the program; its exit status."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.master >= 0:
                self.read(0.05)
            else:
                time.sleep(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                while self.master >= 0 and self._waiting() and self.read(0):
                    pass
                return self.status
        raise AssertionError("it does not end\n" + self.text())
