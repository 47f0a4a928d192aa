"""A burst on a dynamic pool, beside those who have one: burst-peers.py [ROUNDS]

40 requests of 200 ms come at once where 5 idle workers are, 5 spare ones are wanted, and 40 workers
may be: until the last is answered. preforkd runs php-cgi, which knows nothing of it; php-fpm, Apache
and uWSGI run their own workers. The client is the same for all and speaks FastCGI or HTTP. The floor: a
bare loop of vfork and exec starts the 35 php-cgi that lack, at the moment when the requests come.

    apt-get install php-cgi php-fpm libapache2-mod-php uwsgi-plugin-python3
"""
import glob
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

from benchlib import (PREFORKD, Place, await_quiet, floor, heading, machine, median, now_ns, quantile, rotated,
                      table)

SPARE, MAX_SPARE, MAX = 5, 10, 40
TAKES_MS = 200
SETTLE_SEC = 3
USER = "www-data"


# --- the client

def record(kind, content):
    return bytes([1, kind, 0, 1]) + len(content).to_bytes(2, "big") + bytes(2) + content


def fastcgi_request(script):
    fields = {"SCRIPT_FILENAME": script, "SCRIPT_NAME": "/slow.php", "REQUEST_METHOD": "GET",
              "REQUEST_URI": "/slow.php", "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.0"}
    pairs = b"".join(bytes([len(name), len(value)]) + name.encode() + value.encode() for name, value in fields.items())
    return record(1, bytes([0, 1] + [0] * 6)) + record(4, pairs) + record(4, b"") + record(5, b"")


HTTP_REQUEST = b"GET /slow.php HTTP/1.0\r\n\r\n"


def burst(address, request):
    """Milliseconds from before the first connect until each of 40 had its whole answer, in order."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    clients = {}
    poller = select.epoll()
    began_ns = now_ns()
    for _ in range(MAX):
        client = socket.socket(family)
        client.connect(address)
        client.sendall(request)
        clients[client.fileno()] = [client, b""]
        poller.register(client, select.EPOLLIN)
    times_ms = []
    while clients:
        ready = poller.poll(60)
        if not ready:
            raise SystemExit(f"{len(clients)} of {MAX} requests were not answered in a minute")
        for fd, _ in ready:
            part = clients[fd][0].recv(65536)
            clients[fd][1] += part
            if part:
                continue
            client, answer = clients.pop(fd)
            if b"slept" not in answer:
                raise SystemExit(f"no answer, but {answer}")
            times_ms.append((now_ns() - began_ns) / 1e6)
            client.close()
    poller.close()
    return times_ms


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# --- who is asked: prepare() says (argv, address, request)

class Rival:
    end_signal = signal.SIGTERM

    def __init__(self, place):
        self.base = place.name()
        self.script = place.folder + "/slow.php"

    def file(self, suffix, text):
        with open(self.base + suffix, "w") as file:
            file.write(text)
        return self.base + suffix

    def workers(self, pid):
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return len(file.read().split())

    def run(self):
        argv, address, request = self.prepare()
        with open(self.base + ".log", "wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True)
        try:
            time.sleep(SETTLE_SEC)
            await_quiet(4)
            if self.workers(process.pid) != SPARE:
                with open(self.base + ".log", errors="replace") as log:
                    raise SystemExit(f"{type(self).__name__} has {self.workers(process.pid)} workers: {log.read()}")
            return burst(address, request)
        finally:
            process.send_signal(self.end_signal)
            process.wait(60)

class Preforkd(Rival):
    name = "preforkd, php-cgi"

    def prepare(self):
        path = self.base + ".sock"
        config = self.file(".ini", f"""
[preforkd]
runtime_dir = {self.base}.run
[socket:pages]
listen = unix:{path}
[pool:pages]
command = php-cgi
stdin = socket:pages
auto_scoreboard = yes
user = {USER}
min_spare_workers = {SPARE}
max_spare_workers = {MAX_SPARE}
max_workers = {MAX}
environment = PHP_FCGI_MAX_REQUESTS=0 PHP_FCGI_CHILDREN=0
""")
        return [PREFORKD, "-c", config], path, fastcgi_request(self.script)


class PhpFpm(Rival):
    name = "php-fpm, pm = dynamic"

    def prepare(self):
        path = self.base + ".sock"
        config = self.file(".conf", f"""
[global]
error_log = {self.base}.error
daemonize = no
[pages]
listen = {path}
user = {USER}
group = {USER}
pm = dynamic
pm.start_servers = {SPARE}
pm.min_spare_servers = {SPARE}
pm.max_spare_servers = {MAX_SPARE}
pm.max_children = {MAX}
""")
        return [php_fpm(), "-y", config], path, fastcgi_request(self.script)


class Apache(Rival):
    name = "Apache prefork, mod_php"

    def prepare(self):
        port = free_port()
        load = "".join(f"LoadModule {name} {path}\n" for name, path in apache_modules())
        config = self.file(".conf", f"""
{load}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {self.base}.pid
ErrorLog {self.base}.error
DefaultRuntimeDir {self.base}.run
User {USER}
Group {USER}
DocumentRoot {os.path.dirname(self.script)}
<Directory />
Require all granted
</Directory>
<FilesMatch \\.php$>
SetHandler application/x-httpd-php
</FilesMatch>
StartServers {SPARE}
MinSpareServers {SPARE}
MaxSpareServers {MAX_SPARE}
ServerLimit {MAX}
MaxRequestWorkers {MAX}
""")
        os.mkdir(self.base + ".run")
        return [shutil.which("apache2"), "-DFOREGROUND", "-f", config], ("127.0.0.1", port), HTTP_REQUEST


class Uwsgi(Rival):
    name = "uWSGI, cheaper"
    step = 1
    end_signal = signal.SIGINT

    def prepare(self):
        port = free_port()
        self.file(".py", "import time\ndef application(environment, start):\n"
                  "    start('200 OK', [])\n"
                  f"    time.sleep({TAKES_MS / 1000})\n    return [b'slept']\n")
        return ["uwsgi", "--plugin", "python3", "--master", "--http-socket", f"127.0.0.1:{port}", "--listen", "100",
                "--wsgi-file", self.base + ".py", "--processes", str(MAX), "--cheaper", str(SPARE),
                "--cheaper-initial", str(SPARE), "--cheaper-step", str(self.step), "--uid", USER,
                "--die-on-term"], ("127.0.0.1", port), HTTP_REQUEST


class UwsgiBold(Uwsgi):
    name = f"uWSGI, cheaper-step {MAX - SPARE}"
    step = MAX - SPARE


class Floor(Rival):
    """Two bare loops: one has the 5, the other starts the 35 when the requests come."""
    name = "floor, php-cgi"

    def start(self, listener, count):
        return subprocess.Popen(floor(None, count, [shutil.which("php-cgi")]), stdin=listener.fileno(),
                                stdout=subprocess.DEVNULL, env=dict(os.environ, PHP_FCGI_MAX_REQUESTS="0"))

    def run(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.base + ".sock")
            listener.listen(100)
            loops = [self.start(listener, SPARE)]
            try:
                time.sleep(1)
                await_quiet(4)
                began_ns = now_ns()
                loops.append(self.start(listener, MAX - SPARE))
                spent_ms = (now_ns() - began_ns) / 1e6
                times_ms = burst(self.base + ".sock", fastcgi_request(self.script))
            finally:
                for loop in loops:
                    loop.terminate()
                    loop.wait()
        return [spent_ms + value for value in times_ms]


def php_fpm():
    found = sorted(glob.glob("/usr/sbin/php-fpm*"))
    return found[-1] if found else None


def apache_modules():
    folder = "/usr/lib/apache2/modules/"
    yield "mpm_prefork_module", folder + "mod_mpm_prefork.so"
    yield "authz_core_module", folder + "mod_authz_core.so"
    yield "php_module", (sorted(glob.glob(folder + "libphp*.so")) or [""])[-1]


def rivals():
    found = [Floor, Preforkd]
    if php_fpm():
        found.append(PhpFpm)
    if shutil.which("apache2") and all(os.path.exists(path) for _, path in apache_modules()):
        found.append(Apache)
    if shutil.which("uwsgi") and glob.glob("/usr/lib/uwsgi/plugins/python3*"):
        found += [Uwsgi, UwsgiBold]
    return found


def version(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.split("\n")[0].strip()


def main(rounds=7):
    if os.geteuid() != 0 or not shutil.which("php-cgi"):
        raise SystemExit("this needs root and php-cgi")
    result = {kind: [] for kind in rivals()}
    with Place() as place:
        os.chmod(place.folder, 0o755)
        with open(place.folder + "/slow.php", "w") as file:
            file.write(f"<?php usleep({TAKES_MS * 1000}); echo 'slept';\n")
        for turn in range(rounds):
            for kind in rotated(result, turn):
                result[kind].append(kind(place).run())
    heading(f"{MAX} requests of {TAKES_MS} ms at once on {SPARE} idle workers, {rounds} rounds")
    machine()
    print(f"\n{version('php-cgi', '-v')}; {version('apache2', '-v')}; uWSGI {version('uwsgi', '--version')}")
    rows = []
    for kind, runs in result.items():
        last = [max(run) for run in runs]
        rows.append([kind.name, f"{median(last):.0f} ({quantile(last, .25):.0f}-{quantile(last, .75):.0f})",
                     f"{median([median(run) for run in runs]):.0f}",
                     f"{quantile(sum(runs, []), .99):.0f}",
                     f"{median([max(run) / max(base) for run, base in zip(runs, result[Floor])]):.2f}"])
    table(["", "until the last answer, ms (quartiles)", "median request, ms", "p99 of all requests, ms",
           "last answer, x floor"], rows)


if __name__ == "__main__":
    # Whoever ends it gets all peers ended
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(*map(int, sys.argv[1:]))
