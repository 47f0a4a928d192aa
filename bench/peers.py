"""Five supervisors that keep four workers at one unix socket, as Debian packages them.

Each runs in a folder of its own and in a control group of its own, where all its processes are found,
whoever their parent is, and where fork can be forbidden. All but nginx run bench/serve_worker; nginx
can run nothing but itself, and answers from its own workers.
"""
import os
import re
import shutil
import signal
import subprocess
import time

from benchlib import HERE, PREFORKD, Silence, program

GROUPS = "/sys/fs/cgroup/pids"
PATIENCE_SEC = 20
STOP_SEC = 2


def words_of(pid):
    """Its command line; nothing for a zombie or one that has gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def await_that(condition, seconds=PATIENCE_SEC, step=0.01):
    """Seconds until it holds, or None if it does not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(step)
    return time.monotonic() - began


def first_line_of(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.split("\n")[0].strip()


class Group:
    """A control group that counts processes."""

    def __init__(self, name):
        self.path = os.path.join(GROUPS, name)
        try:
            os.mkdir(self.path)
        except OSError as why:
            raise SystemExit(f"no control group of the pids controller, version 1: {why}")

    def limit(self, count):
        with open(self.path + "/pids.max", "w") as file:
            file.write(f"{count}\n")

    def pids(self):
        """Of all in it, and in groups below that systemd made."""
        found = []
        for folder, _, _ in os.walk(self.path):
            try:
                with open(folder + "/cgroup.procs") as file:
                    found += [int(line) for line in file]
            except OSError:
                pass
        return found

    def entering(self, argv):
        """argv that begins in this group."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', self.path + "/cgroup.procs", *argv]

    def remove(self):
        self.limit("max")
        for _ in range(200):
            for pid in self.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for folder, _, _ in os.walk(self.path, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    time.sleep(0.01)
            if not os.path.exists(self.path):
                return


class Peer:
    """What they have in common. `stubborn`: workers ignore TERM."""

    worker_mark = "serve_worker"
    says = None

    def __init__(self, place, stubborn=False):
        self.folder = place.name()
        os.mkdir(self.folder, 0o755)
        self.path = self.folder + "/web.sock"
        self.worker = [program("serve_worker")] + ["stubborn"] * stubborn
        self.group = Group(os.path.basename(place.folder) + "." + os.path.basename(self.folder))
        self.process = None
        place.running.append(self)
        self.place = place
        self.prepare()

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def launch(self, argv=None):
        log = open(self.folder + "/log", "ab")
        self.process = subprocess.Popen(self.group.entering(argv or self.argv()), cwd=self.folder,
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()

    def start(self):
        """Until the four workers are there and have been for a second."""
        self.launch()
        if await_that(lambda: len(self.workers()) == 4) is None:
            raise Silence(f"{self.name} has {len(self.workers())} workers: {self.last_words()}")
        time.sleep(1.2)

    def start_again(self):
        """The usual way, by hand, with no patience for its result."""
        self.launch()

    def workers(self):
        return sorted(pid for pid in self.group.pids() if self.worker_mark in words_of(pid))

    def pid(self):
        return self.process.pid

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def last_words(self):
        """The last line of its log that tells, without the time."""
        try:
            with open(self.folder + "/log", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            return ""
        lines = [line for line in lines if not self.says or re.search(self.says, line)]
        return re.sub(r"^[-\d/:TZ,. ]+", "", lines[-1]) if lines else ""

    def end(self):
        self.group.remove()
        if self.process:
            self.process.kill()
            self.process.wait()
        self.place.running.remove(self)


class Preforkd(Peer):
    name = "preforkd"
    says = r"fork|adopt|took over|refus"

    @staticmethod
    def version():
        return first_line_of(PREFORKD, "-V")

    def prepare(self, keys="max_workers = 4\n"):
        self.ini = self.file("app.ini", f"[preforkd]\nruntime_dir = {self.folder}/run\n[socket:web]\n"
                             f"listen = unix:{self.path}\n[pool:web]\ncommand = {' '.join(self.worker)}\n"
                             f"sockets = web\nstop_timeout = {STOP_SEC}s\n{keys}")

    def argv(self):
        return [PREFORKD, "-c", self.ini]

    def upgrade(self):
        os.kill(self.pid(), signal.SIGUSR2)


class PreforkdDynamic(Preforkd):
    """For the fault that needs a scoreboard by which something is decided."""
    most = 8

    def prepare(self):
        super().prepare("min_spare_workers = 2\nmax_spare_workers = 4\nstart_workers = 4\nidle_timeout = 1s\n"
                        f"max_workers = {self.most}\n")

    def board(self):
        return f"{self.folder}/run/web.scoreboard"


class Nginx(Peer):
    name = "nginx"
    worker_mark = "nginx: worker process"
    says = r"\[(emerg|alert|crit|error)\]|still could not"

    @staticmethod
    def version():
        return first_line_of("nginx", "-v").replace("nginx version: ", "")

    def prepare(self):
        self.conf = self.file("nginx.conf", f"""
pid {self.folder}/pid; error_log {self.folder}/log; worker_processes 4; worker_shutdown_timeout {STOP_SEC}s;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
    fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
    server {{ listen unix:{self.path}; location / {{ return 200 "$pid\\n"; }} }}
}}
""")

    def argv(self):
        return [shutil.which("nginx"), "-c", self.conf, "-e", self.folder + "/log"]

    def pid(self):
        with open(self.folder + "/pid") as file:
            return int(file.read())

    def start(self):
        super().start()
        self.process.wait()

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)

    def upgrade(self):
        old = self.pid()
        os.kill(old, signal.SIGUSR2)
        await_that(lambda: os.path.exists(self.folder + "/pid.oldbin") and os.path.exists(self.folder + "/pid")
                   and len(self.workers()) == 8)
        os.kill(old, signal.SIGQUIT)

    def stop(self):
        os.kill(self.pid(), signal.SIGQUIT)


class Supervisord(Peer):
    name = "supervisord"
    says = "FATAL|spawn|exit|Error|CRIT"
    more = ""

    @staticmethod
    def version():
        return "supervisord " + first_line_of("supervisord", "-v")

    def prepare(self):
        self.conf = self.file("supervisord.conf", f"""
[supervisord]
logfile={self.folder}/log
pidfile={self.folder}/pid
childlogdir={self.folder}
[fcgi-program:web]
command={' '.join(self.worker)}
socket=unix://{self.path}
process_name=%(program_name)s_%(process_num)d
numprocs=4
autorestart=true
stopwaitsecs={STOP_SEC}
{self.more}
""")

    def argv(self):
        return ["supervisord", "-n", "-c", self.conf]

    def launch(self):
        self.process = subprocess.Popen(self.group.entering(self.argv()), cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def upgrade(self):
        self.stop()
        self.process.wait()
        self.launch()


class SupervisordPatient(Supervisord):
    name = "supervisord, startretries=1000"
    more = "startretries=1000"


class S6(Peer):
    name = "s6"
    says = "fork|spawn|unable"

    @staticmethod
    def version():
        return "s6 " + first_line_of("dpkg-query", "-W", "-f", "${Version}", "s6")

    def prepare(self):
        for number in range(4):
            self.file(f"scan/web{number}/run", f"#!/bin/sh\nexec {' '.join(self.worker)}\n", 0o755)
            self.file(f"scan/web{number}/timeout-kill", f"{1000 * STOP_SEC}\n")

    def argv(self):
        # The socket becomes descriptor 0, and is inherited by all services
        return ["s6-ipcserver-socketbinder", "--", self.path, *self.scan()]

    def scan(self):
        return ["s6-svscan", self.folder + "/scan"]

    def start_again(self):
        """Those who hold the socket have stayed; another one of that name would only take it away."""
        self.launch(self.scan())

    def upgrade(self):
        self.stop()
        self.process.wait()
        self.launch()


class Systemd(Peer):
    """As process 1 of namespaces of its own; see tests/systemd/boot. The kernel ignores a SIGKILL for it."""
    name = "systemd"
    says = "repeated|fork|limit-hit"
    more = ""

    @staticmethod
    def version():
        return " ".join(first_line_of("systemctl", "--version").split()[:2])

    def prepare(self):
        self.file("units/test.target", "[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service "
                  + " ".join(f"web@{number}.service" for number in range(4)) + "\n")
        self.file("units/web.socket", "[Unit]\nDefaultDependencies=no\n[Socket]\n"
                  f"ListenStream={self.path}\nService=web@0.service\n")
        self.file("units/web@.service", f"[Unit]\nDefaultDependencies=no\n{self.more}\n[Service]\n"
                  f"ExecStart={' '.join(self.worker)}\nSockets=web.socket\nRestart=always\n"
                  f"TimeoutStopSec={STOP_SEC}\n")

    def argv(self):
        boot = os.path.join(HERE, "..", "tests", "systemd", "boot")
        return [boot, self.folder, "sh", "-c", 'while read -r line; do eval "$line" 2>&1; echo "= $?"; done']

    def launch(self):
        self.process = subprocess.Popen(self.group.entering(self.argv()), cwd=self.folder, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def start(self):
        super().start()
        self.inside("true")

    def inside(self, command):
        """Runs it beside systemd; its output."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while not lines or not lines[-1].startswith("= "):
            line = self.process.stdout.readline()
            if not line:
                raise Silence("systemd is gone: " + "".join(lines))
            lines.append(line)
        return "".join(lines[:-1])

    def pid(self):
        """Process 1 inside, by its number outside."""
        for pid in self.group.pids():
            with open(f"/proc/{pid}/status") as file:
                if re.search(r"^NSpid:\s+\d+\s+1$", file.read(), re.M):
                    return pid
        return None

    def kill(self):
        self.inside("kill -KILL 1")

    def start_again(self):
        pass

    def upgrade(self):
        self.inside("systemctl daemon-reexec")

    def stop(self):
        self.inside("systemctl stop --no-block web.socket 'web@*.service'")

    def last_words(self):
        found = self.inside("journalctl --no-pager -o cat -u 'web@*' -n 200")
        lines = [line for line in found.splitlines() if re.search(self.says, line)]
        return lines[-1] if lines else ""

    def end(self):
        if self.process:
            self.group.limit("max")
            self.process.stdin.close()
            try:
                self.process.wait(PATIENCE_SEC)
            except subprocess.TimeoutExpired:
                pass
        super().end()


class SystemdUnlimited(Systemd):
    name = "systemd, StartLimitIntervalSec=0"
    more = "StartLimitIntervalSec=0"


class NginxFast(Nginx):
    name = "nginx, fast stop (TERM)"

    def stop(self):
        os.kill(self.pid(), signal.SIGTERM)


PEERS = [Preforkd, Nginx, Supervisord, S6, Systemd]
PATIENT = [SupervisordPatient, SystemdUnlimited]
