"""For tests that put preforkd between real programs: a folder, the programs that run in it, and status.

Environment: PREFORKD, srcdir, PREFORKD_TEST_SLOWNESS. A test is a function of a World; main() runs all,
each in a world of its own, and says how it went as tests of Check do.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

PREFORKD = os.environ.get("PREFORKD", "preforkd")
SOURCE = os.environ.get("srcdir", ".")
SLOWNESS = float(os.environ.get("PREFORKD_TEST_SLOWNESS", "1"))
LIMIT = 20 * SLOWNESS
# What stands in /usr/sbin is not on everybody's path
os.environ["PATH"] += ":/usr/sbin:/sbin"


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"{program} is not there")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class World:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="preforkd-test-")
        os.chmod(self.folder, 0o755)
        self.programs = []
        self.config = None

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as out:
            out.write(text)
        return self.path(name)

    def read(self, name):
        try:
            with open(self.path(name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def start(self, name, *words, **more):
        """A program whose output goes to NAME.log."""
        with open(self.path(name + ".log"), "a") as log:
            program = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **more)
        self.programs.append(program)
        return program

    def supervise(self, text):
        """Writes the configuration and starts preforkd with it."""
        self.config = self.write("test.ini", text)
        self.daemon = self.start("preforkd", PREFORKD, "-c", self.config)
        self.wait(lambda: self.status()["phase"] == "running", "the first workers")

    def command(self, *words):
        done = subprocess.run([PREFORKD, "-c", self.config, *words], capture_output=True, text=True,
                              timeout=3 * LIMIT)
        return done.returncode, done.stdout, done.stderr

    def status(self):
        code, out, _ = self.command("status", "--json")
        return json.loads(out) if code == 0 else {"phase": None, "pools": []}

    def pool(self, name):
        return next(pool for pool in self.status()["pools"] if pool["name"] == name)

    def wait(self, condition, what, limit=LIMIT):
        until = time.monotonic() + limit
        while time.monotonic() < until:
            if condition():
                return
            for program in self.programs:
                assert program.poll() is None, f"{program.args[0]} has ended while we waited for {what}"
            time.sleep(0.02)
        raise AssertionError(f"waited in vain for {what}")

    def kill(self, program, number=signal.SIGKILL):
        """Ends it for good."""
        program.send_signal(number)
        code = program.wait(LIMIT)
        self.programs.remove(program)
        return code

    def show(self):
        if self.config:
            print(self.command("status")[1])
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                print(f"--- {name}\n{self.read(name)[-4000:]}")

    def end(self):
        for program in reversed(self.programs):
            program.terminate()
        for program in reversed(self.programs):
            try:
                program.wait(LIMIT)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        shutil.rmtree(self.folder)


def main(tests):
    tests = [test for test in tests if test.__name__ in sys.argv[1:]] or tests
    failures = 0
    for test in tests:
        world = World()
        try:
            test(world)
        except Exception:  # every one is a failure of this test, and the next is to be run
            failures += 1
            print(f"{test.__name__}: {traceback.format_exc()}")
            world.show()
        finally:
            world.end()
    print(f"{100 * (len(tests) - failures) // len(tests)}%: Checks: {len(tests)}, Failures: {failures}, Errors: 0")
    sys.exit(1 if failures else 0)
