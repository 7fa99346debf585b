#!/usr/bin/env python3
"""Kills, stops and cuts off the shipped programs while they work, and counts what was lost, doubled or ended.

    tests/e2e/chaos/run.py --cycles 300 --burst 2000 --agents 300 --shims 100 --partitions 100 --stops 50 --disks 50

Each part prints one line of PASS or FAIL with its counts. The same --seed makes the same choices, not the same timing.
"""

import argparse
import collections
import os
import random
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from center import expect, finish, shows, wait_until  # noqa: E402
from counts import Counts, report  # noqa: E402
from daemons import SHORT_LEASE, ChaosCenter  # noqa: E402
from fault_proxy import MODES, FaultProxy  # noqa: E402
from full_disks import fill_disks  # noqa: E402
from marks import Marks  # noqa: E402

SUBMITTERS = 4
RUNNING = 6


class Submitters:
    """Threads that submit without a pause until they are stopped; the client tries again with the same key."""

    def __init__(self, center, token):
        self._center, self._token = center, token
        self.acknowledged = {}  # name -> id
        self.unanswered = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(SUBMITTERS)]
        for thread in self._threads:
            thread.start()

    def _run(self, lane):
        count = 0
        while not self._stopping.is_set():
            name = "s%d-%d" % (lane, count)
            count += 1
            result = self._center.try_berth("submit", "--parsable", "--project", "research", "--hold", "--name", name, "--",
                                            "true", token=self._token)
            if result.code == 0:
                self.acknowledged[name] = int(result.out)
            else:
                self.unanswered.append(name)

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()


def start_marked(center, marks, token, names, seconds, codes=None, options=()):
    jobs = {}
    for i, name in enumerate(names):
        code = codes[i] if codes else 0
        jobs[name] = center.submit("--name", name, "--nodes", "1", "--devices", "1", "--cpus", "0.1", *options, "--",
                                   *marks.command(name, seconds, code), token=token)
    return jobs


def all_jobs(center, token):
    return {job["name"]: job for job in center.items("ps", "-a", "--limit", "1000000", token=token)}


def check_submissions(center, token, submitters, counts):
    jobs = center.items("ps", "-a", "--limit", "1000000", token=token)
    names = collections.Counter(job["name"] for job in jobs)
    ids = {job["name"]: job["id"] for job in jobs}
    counts["acknowledged"] = len(submitters.acknowledged)
    counts["unanswered"] = len(submitters.unanswered)
    counts["lost"] = sum(1 for name in submitters.acknowledged if name not in ids)
    counts["under another id"] = sum(1 for name, job in submitters.acknowledged.items() if ids.get(name, job) != job)
    counts["doubled"] = sum(1 for count in names.values() if count > 1)
    counts["ids given out twice"] = len(jobs) - len({job["id"] for job in jobs})


def kill_scheduler(cycles, random_source):
    """Under submissions, with jobs that run all the time."""
    counts = Counts(cycles=cycles)
    with ChaosCenter("--nodes", "2", "--devices", "4") as center:
        token, marks = center.add_tenant("acme", 8, 8), Marks(center.dir)
        center.settle_address()
        running = start_marked(center, marks, token, ["run-%d" % i for i in range(RUNNING)], "forever")
        for job in running.values():
            center.await_state(job, ["running"], 30, token=token)
        submitters, began = Submitters(center, token), time.monotonic()
        try:
            for _ in range(cycles):
                time.sleep(random_source.uniform(0.0, 0.5))
                center.kill("berthd")
                center.start_scheduler()
        finally:
            counts["seconds"] = round(time.monotonic() - began)
            submitters.stop()
        center.await_ready()
        check_submissions(center, token, submitters, counts)
        jobs = all_jobs(center, token)
        counts["running jobs ended"] = sum(
            1 for name in running if jobs[name]["state"] != "running" or jobs[name]["attempt"] != 0)
        counts["violations"] = len(marks.violations())
        report("scheduler", counts)
        expect(counts["acknowledged"] > 0, "nothing was submitted")
        for bad in ("lost", "under another id", "doubled", "ids given out twice", "running jobs ended", "violations"):
            expect(counts[bad] == 0, "%d %s: %s" % (counts[bad], bad, marks.violations()[:3]))


def kill_after_burst(count, _random_source):
    """The scheduler dies with the last acknowledgement; what it promised and what it numbered stays."""
    counts = Counts()
    with ChaosCenter("--nodes", "1", "--devices", "1") as center:
        token = center.add_tenant("acme", 1, 1)
        center.settle_address()
        submitters, began = Submitters(center, token), time.monotonic()
        try:
            wait_until(lambda: len(submitters.acknowledged) >= count, 600, "%d are acknowledged" % count)
            center.kill("berthd")
            counts["seconds"] = round(time.monotonic() - began)
            center.start_scheduler()
        finally:
            submitters.stop()
        later = center.submit("--hold", "--", "true", token=token)
        check_submissions(center, token, submitters, counts)
        report("burst", counts)
        expect(later > max(submitters.acknowledged.values()), "the id %d was given out before" % later)
        for bad in ("lost", "under another id", "doubled", "ids given out twice"):
            expect(counts[bad] == 0, "%d %s" % (counts[bad], bad))


def kill_agents(cycles, random_source):
    """Under jobs that end all the time, each with an exit code of its own."""
    counts = Counts(cycles=cycles)
    with ChaosCenter("--nodes", "2", "--devices", "4") as center:
        token, marks = center.add_tenant("acme", 8, 8), Marks(center.dir)
        jobs, codes = {}, {}
        for cycle in range(cycles):
            while len(jobs) < 2 * (cycle + 1):
                name = "a%d" % len(jobs)
                codes[name] = random_source.randrange(0, 100)
                jobs.update(start_marked(center, marks, token, [name], round(random_source.uniform(0.0, 1.0), 2), [codes[name]]))
            name = "agent-%d" % random_source.randrange(1, 3)
            time.sleep(random_source.uniform(0.0, 0.3))
            center.kill(name)
            center.start_agent(name)
        center.await_ready()
        ended = wait_until(lambda: (lambda found: found if all(
            found[name]["state"] in ("succeeded", "failed") for name in jobs) else None)(all_jobs(center, token)), 60,
            "all jobs end")
        counts["jobs"] = len(jobs)
        counts["wrong exit codes"] = sum(1 for name, code in codes.items() if ended[name]["end"]["exit_code"] != code)
        # An agent that dies between its journal and the start of the shim leaves an attempt that never began.
        counts["attempts that never began"] = sum(ended[name]["attempt"] for name in jobs)
        counts["not executed once"] = sum(1 for name in jobs if marks.starts(name) != 1)
        counts["violations"] = len(marks.violations())
        report("agents", counts)
        wrong = [(name, codes[name], ended[name]["end"]) for name in jobs if ended[name]["end"]["exit_code"] != codes[name]]
        for bad in ("wrong exit codes", "not executed once", "violations"):
            expect(counts[bad] == 0, "%d %s: %s" % (counts[bad], bad, (wrong + marks.violations())[:3]))


def supervisors_of(pid):
    """The ancestors of a task's process: its init, and its shim."""
    found = []
    while pid > 1:
        with open("/proc/%d/stat" % pid) as file:
            pid = int(file.read().rsplit(")", 1)[1].split()[1])
        if pid > 1 and os.readlink("/proc/%d/exe" % pid).endswith("/berth-shim"):
            found.append(pid)
    expect(len(found) == 2, "an init and a shim above the task: %s" % found)
    return {"init": found[0], "shim": found[1]}


def host_pid(center, job):
    """Of a task's process, which sees itself under another number."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/environ" % entry, "rb") as file:
                    variables = file.read().split(b"\0")
            except OSError:
                continue
            if b"BERTH_JOB_ID=%d" % job in variables and any(center.dir.encode() in v for v in variables):
                return int(entry)
    return None


def kill_shims(cycles, _random_source):
    counts = Counts(cycles=cycles)
    with ChaosCenter("--nodes", "1", "--devices", "4") as center:
        token, marks, wrong = center.add_tenant("acme", 4, 4), Marks(center.dir), []
        for cycle in range(cycles):
            name = "k%d" % cycle
            job = start_marked(center, marks, token, [name], "forever", options=["--requeue", "none"])[name]
            center.await_state(job, ["running"], 20, token=token)
            wait_until(lambda: marks.starts(name), 10, "the task began")
            victim, reason = (("shim", "node-fault"), ("init", "signal"))[cycle % 2]
            os.kill(supervisors_of(host_pid(center, job))[victim], signal.SIGKILL)
            counts[victim + "s"] += 1
            ended = center.await_state(job, ["failed"], 20, token=token)
            if ended["end"]["reason"] != reason:
                counts["wrong reasons"] += 1
                wrong.append(ended["end"])
            counts["still dying at the report"] += marks.is_live(name)
            wait_until(lambda: not marks.is_live(name), 10, "nothing of the task is left")
        counts["violations"] = len(marks.violations())
        report("shims", counts)
        for bad in ("wrong reasons", "violations"):
            expect(counts[bad] == 0, "%d %s: %s" % (counts[bad], bad, wrong[:3]))


class Fleet:
    """Jobs that are queued again when their node is lost, kept at a number while faults go on."""

    def __init__(self, center, marks, token):
        self._center, self._marks, self._token = center, marks, token
        self.jobs = {}

    def top_up(self, count):
        active = sum(1 for job in all_jobs(self._center, self._token).values() if job["state"] in ("pending", "starting", "running"))
        for _ in range(max(count - active, 0)):
            name = "f%d" % len(self.jobs)
            self.jobs.update(start_marked(self._center, self._marks, self._token, [name], 2,
                                          options=["--requeue", "node-fault"]))

    def finish(self, counts):
        self._center.await_ready(60)
        ended = wait_until(lambda: (lambda found: found if all(
            found[name]["state"] in ("succeeded", "failed") for name in self.jobs) else None)(
                all_jobs(self._center, self._token)), 120, "all jobs end")
        counts["jobs"] = len(self.jobs)
        counts["second attempts"] = sum(1 for name in self.jobs if ended[name]["attempt"] > 0)
        counts["failed"] = sum(1 for name in self.jobs if ended[name]["state"] == "failed")
        counts["violations"] = len(self._marks.violations())


def cut_off(cycles, random_source):
    """Faults of the network between agents and scheduler, some shorter than the lease and some longer."""
    counts = Counts(partitions=cycles)
    with ChaosCenter("--nodes", "3", "--devices", "2", *SHORT_LEASE) as center:
        token, marks = center.add_tenant("acme", 6, 6), Marks(center.dir)
        center.settle_address()
        with open(center.path("address")) as file:
            address = file.read().strip()
        proxies = {"agent-%d" % i: FaultProxy(address) for i in range(1, 4)}
        for name, proxy in proxies.items():
            center.restart_agent_at(name, proxy.address)
        center.await_ready()
        fleet = Fleet(center, marks, token)
        for cycle in range(cycles):
            fleet.top_up(5)
            mode = MODES[cycle % len(MODES)]
            proxy = random_source.choice(sorted(proxies.values(), key=lambda p: p.address))
            proxy.set(mode)
            time.sleep(random_source.choice([0.3, 1.0, 6.0]))
            proxy.set("pass")
            counts[mode] += 1
        fleet.finish(counts)
        for proxy in proxies.values():
            proxy.close()
        report("partitions", counts)
        expect(counts["violations"] == 0, str(marks.violations()[:3]))
        expect(counts["failed"] == 0, "%d jobs failed" % counts["failed"])


def stop_and_continue(cycles, random_source):
    """A daemon that sleeps longer than the lease and wakes up in a world that went on."""
    counts = Counts(stops=cycles)
    with ChaosCenter("--nodes", "2", "--devices", "2", *SHORT_LEASE) as center:
        token, marks = center.add_tenant("acme", 4, 4), Marks(center.dir)
        fleet = Fleet(center, marks, token)
        for cycle in range(cycles):
            fleet.top_up(3)
            name = random_source.choice(["agent-1", "agent-2", "berthd"])
            pid = center.pid(name)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(random_source.choice([1.0, 4.5, 7.0]))
            os.kill(pid, signal.SIGCONT)
            counts[name.split("-")[0]] += 1
            time.sleep(0.5)
        fleet.finish(counts)
        report("stops", counts)
        expect(counts["violations"] == 0, str(marks.violations()[:3]))
        expect(counts["failed"] == 0, "%d jobs failed" % counts["failed"])


PARTS = (
    ("cycles", kill_scheduler, "kill -9 of the scheduler under submissions: none lost, none doubled, no running job ended"),
    ("burst", kill_after_burst, "submissions acknowledged and the scheduler killed at once: none lost, no id given out again"),
    ("agents", kill_agents, "kill -9 of agents: every job is executed once and its exit code is right"),
    ("shims", kill_shims, "kill -9 of shims and inits: the job ends with the right reason and leaves nothing alive"),
    ("partitions", cut_off, "partitions in either direction: no two attempts overlap, none is executed twice"),
    ("stops", stop_and_continue, "SIGSTOP across the lease: no two attempts overlap, none is executed twice"),
    ("disks", fill_disks, "full disks under database, journal and logs: nothing acknowledged is lost, all exit codes right"),
)


def run(seed, numbers):
    print("seed %d" % seed, flush=True)
    for name, part, what in PARTS:
        if numbers.get(name):
            with shows("%d x %s" % (numbers[name], what)):
                part(numbers[name], random.Random("%d %s" % (seed, name)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, _, what in PARTS:
        parser.add_argument("--" + name, type=int, default=0, metavar="N", help=what)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    run(arguments.seed, {name: getattr(arguments, name) for name, _, _ in PARTS})
    finish()


if __name__ == "__main__":
    main()
