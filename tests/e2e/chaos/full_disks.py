"""Small file systems that are full again and again: under the database, under an agent's journal, under a node's logs."""

import os
import subprocess
import time

from center import NotHere, expect, wait_until
from counts import Counts, report
from daemons import ChaosCenter
from marks import Marks

SIZES = {"data": "256m", "agent-1": "24m", "agent-2/jobs": "24m"}


class SmallDisk:
    """A tmpfs on a folder of the center, filled up by one file."""

    def __init__(self, center, folder):
        self.path = center.path(folder)
        self._filler = os.path.join(self.path, "filler")

    def mount(self, size):
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=0700" % size, "none", self.path],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise NotHere("a small file system cannot be mounted: " + done.stderr.strip())

    def fill(self):
        with open(self._filler, "wb", buffering=0) as file:
            for block in (1 << 20, 4096):
                try:
                    while True:
                        file.write(b"x" * block)
                except OSError:
                    pass

    def clear(self):
        os.unlink(self._filler)

    def contents(self):
        return subprocess.run("df -k %s; ls -l %s" % (self.path, self.path), shell=True, capture_output=True, text=True).stdout

    def unmount(self):
        subprocess.run(["umount", "-l", self.path], capture_output=True)


class DiskCenter(ChaosCenter):
    """Two nodes: the database, the journal of node-1 and the task folders of node-2 on small disks of their own."""

    def __init__(self):
        super().__init__("--nodes", "2", "--devices", "4")
        self.disks = {folder: SmallDisk(self, folder) for folder in SIZES}

    def __enter__(self):
        try:
            for folder, disk in self.disks.items():
                disk.mount(SIZES[folder])
        except NotHere:
            self.__exit__()
            raise
        return super().__enter__()

    def __exit__(self, *error):
        self.down()
        for disk in reversed(list(self.disks.values())):
            disk.unmount()
        super().__exit__(*error)


class Rounds:
    def __init__(self, center, token, marks, counts):
        self._center, self._token, self._marks, self._counts = center, token, marks, counts
        self.acknowledged = {}  # name -> id
        self._number = 0

    def _name(self, what):
        self._number += 1
        return "%s-%d" % (what, self._number)

    def _submit(self, name, *words):
        result = self._center.try_berth("submit", "--parsable", "--project", "research", "--name", name, "--timeout", "2s", *words,
                                        token=self._token)
        if result.code == 0:
            self.acknowledged[name] = int(result.out)
        return result

    def _hold(self, size=1):
        return self._submit(self._name("held"), "--hold", "--env", "FILL=" + "x" * size, "--", "true")

    def _run_on(self, node, seconds, code, script=None):
        """A marked job of one device on that node."""
        name, other = self._name("task"), {"node-1": "node-2", "node-2": "node-1"}[node]
        command = script or self._marks.command(name, seconds, code)
        result = self._submit(name, "--nodes", "1", "--devices", "1", "--cpus", "0.1", "--exclude", other, "--", *command)
        expect(result.code == 0, str(result))
        return name

    def _end(self, name):
        return wait_until(lambda: (lambda job: job if job["state"] in ("succeeded", "failed") else None)(
            self._center.job(self.acknowledged[name], token=self._token)), 40, name + " ends")

    def database(self, disk, restart):
        """Refused with a reason while nothing fits, taken again when something does; what was acknowledged is there."""
        task = self._run_on("node-2", 1.0, 7)
        self._center.await_state(self.acknowledged[task], ["running"], 20, token=self._token)
        disk.fill()
        refused = next((result for result in (self._hold(60000) for _ in range(200)) if result.code != 0), None)
        expect(refused is not None, "200 submissions of 60 kB were taken by a full disk")
        expect("B" in refused.err, "no reason: %s" % refused)
        # What ran meanwhile is reported, and written from the ballast.
        expect(self._end(task)["end"]["exit_code"] == 7, "another exit code than 7")
        disk.clear()
        if restart:
            self._center.kill("berthd")
            self._center.start_scheduler()
            self._counts["killed after it"] += 1
        deadline, again = time.monotonic() + 30, self._hold()
        while again.code != 0:
            expect(time.monotonic() < deadline, "no submission is accepted again: %s\n%s" % (again, disk.contents()))
            again = self._hold()

    def journal(self, disk):
        """What runs is not disturbed, its end is told; what cannot be written down is not started before it can."""
        running = self._run_on("node-1", 1.5, 3)
        self._center.await_state(self.acknowledged[running], ["running"], 20, token=self._token)
        disk.fill()
        late = self._run_on("node-1", 0.2, 4)
        time.sleep(2.0)
        expect(self._marks.starts(late) == 0, "started without a journal")
        disk.clear()
        expect(self._end(running)["end"]["exit_code"] == 3, "another exit code than 3")
        ended = self._end(late)
        expect(ended["end"]["exit_code"] == 4, "another exit code than 4: %s" % ended["end"])
        self._counts["refused starts"] += ended["attempt"]

    def logs(self, disk):
        """A task that writes more than there is room for goes on to its own end."""
        script = ["bash", "-c", "for i in $(seq 15); do head -c 20000 /dev/zero | tr '\\0' y; echo; sleep 0.1; done; exit 5"]
        talker = self._run_on("node-2", 0, 0, script)
        self._center.await_state(self.acknowledged[talker], ["running"], 20, token=self._token)
        time.sleep(0.3)
        disk.fill()
        time.sleep(1.5)
        disk.clear()
        expect(self._end(talker)["end"]["exit_code"] == 5, "another exit code than 5")


def fill_disks(cycles, _random_source):
    counts = Counts(cycles=cycles)
    with DiskCenter() as center:
        token, marks = center.add_tenant("acme", 8, 8), Marks(center.dir)
        center.settle_address()
        center.await_ready()
        rounds = Rounds(center, token, marks, counts)
        for cycle in range(cycles):
            rounds.database(center.disks["data"], cycle % 5 == 4)
            rounds.journal(center.disks["agent-1"])
            rounds.logs(center.disks["agent-2/jobs"])
        jobs = {job["name"]: job["id"] for job in center.items("ps", "-a", "--limit", "1000000", token=token)}
        counts["acknowledged"] = len(rounds.acknowledged)
        counts["lost"] = sum(1 for name, job in rounds.acknowledged.items() if jobs.get(name) != job)
        counts["violations"] = len(marks.violations())
        report("disks", counts)
        for bad in ("lost", "violations"):
            expect(counts[bad] == 0, "%d %s: %s" % (counts[bad], bad, marks.violations()[:3]))
