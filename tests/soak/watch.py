"""Samples once a second, lines for people, and what is judged of them at the end."""
import csv
import os
import statistics
import time

from world import Violation, read

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
EXEC_KIB = 1000  # less: just between two programs
SAMPLE_SEC = 1
LINE_SEC = 10
GROWTH = 1.1
SANITIZED = "-fsanitize" in os.environ.get("PREFORKD_MODE_CFLAGS", "")
# A sanitizer keeps what was freed
SLACK = {"resident_kib": float("inf") if SANITIZED else 300, "descriptors": 6}
FIELDS = ["seconds", "resident_kib", "descriptors", "workers", "requests", "lost", "excused", "faults", "lives"]


class Watch:
    def __init__(self, world, load, path):
        self.world, self.load = world, load
        self.begun = time.monotonic()
        self.next_sample = self.next_line = self.begun
        self.samples, self.faults = [], []  # faults: (seconds, name, what)
        self.file = open(path, "w", newline="")
        self.out = csv.writer(self.file)
        self.out.writerow(FIELDS)
        self.faults_file = open(path.removesuffix(".csv") + "-faults.csv", "w", newline="")

    def seconds(self):
        return time.monotonic() - self.begun

    def fault(self, name, do):
        """Does it; the record is there also when it does not come back."""
        begun = self.seconds()
        self.faults.append((begun, name, "begun"))
        try:
            what = do()
        except ProcessLookupError:
            what = "whom it was for has gone"
        self.faults[-1] = (begun, name, what or "")
        csv.writer(self.faults_file).writerow((f"{begun:.1f}", *self.faults[-1][1:]))

    def tick(self):
        now = time.monotonic()
        if now < self.next_sample or not self.world.daemon or not self.world.status:
            return
        self.next_sample = now + SAMPLE_SEC
        sample = self.sample()
        if sample is None:
            return
        self.samples.append(sample)
        self.out.writerow(sample.values())
        if now >= self.next_line:
            self.next_line = now + LINE_SEC
            self.file.flush()
            self.faults_file.flush()
            print(self.line(sample), flush=True)

    def sample(self):
        pid = self.world.daemon.pid
        size = read(f"/proc/{pid}/statm").split() or [0, 0]
        try:
            descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return None
        if int(size[1]) * PAGE_KIB < EXEC_KIB:
            return None
        workers = sum(pool["live"] for pool in self.world.status["pools"])
        values = [round(self.seconds(), 1), int(size[1]) * PAGE_KIB, descriptors, workers, self.load.done,
                  self.load.lost, self.load.excused, len(self.faults), self.world.lives]
        return dict(zip(FIELDS, values))

    @staticmethod
    def line(sample):
        return ("{seconds:7.0f} s  resident {resident_kib} KiB  descriptors {descriptors}  workers {workers}  "
                "requests {requests}  lost {lost}  excused {excused}  faults {faults}  lives {lives}").format(**sample)

    def trend(self, begin, end, judged):
        """Medians of the first and the last tenth of a time. Judged, growth is a violation. A worker
        costs a descriptor: how many there are just then does not count."""
        samples = [sample for sample in self.samples if begin <= sample["seconds"] < end]
        tenth = max(1, len(samples) // 10)
        values = {"resident_kib": lambda sample: sample["resident_kib"],
                  "descriptors": lambda sample: sample["descriptors"] - sample["workers"]}
        found = {}
        for name, value in values.items():
            first, last = (statistics.median(map(value, part)) for part in (samples[:tenth], samples[-tenth:]))
            found[name] = (first, last)
            if judged and last > first * GROWTH + SLACK[name]:
                raise Violation(f"{name} grew from {first} to {last} between {begin:.0f} and {end:.0f} s")
        return found

    def close(self):
        self.file.close()
        self.faults_file.close()
