#!/usr/bin/env python3
"""Many tasks on one agent: a new agent finds all of them again, and ended ones leave nothing behind but their logs."""

import fcntl
import glob
import os
import re
import time

from center import Center, expect, finish, shows, wait_until

TASKS = 100
TRIVIAL = 1000
# A line every 100 ms, numbered, so that a gap in the log shows; without a process for each.
TICK = """exec 9<> <(:); while [ $EPOCHSECONDS -lt %d ]; do echo tick $((i++)); read -t 0.1 -u 9; done
exit $((BERTH_ARRAY_INDEX %% 50))"""
RUN_SECONDS = 25


def processes_of(center):
    """Pids whose command line or environment names the center's folder, the daemons' own left out."""
    daemons = {center.pid(name) for name in ("berthd", "agent-1")}
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        for part in ("cmdline", "environ"):
            try:
                with open("/proc/%s/%s" % (name, part), "rb") as file:
                    if center.dir.encode() in file.read() and int(name) not in daemons | {os.getpid()}:
                        found.append((int(name), part))
            except OSError:
                pass
    return found


def is_locked(path):
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True


def what_is_there(center):
    """Everything that tasks have on the node, beside logs."""
    with open("/proc/%d/mountinfo" % center.pid("agent-1")) as file:
        mounts = sum(center.dir in line for line in file)
    locks = [path for path in glob.glob(center.path("locks", "*")) if is_locked(path)]
    files = [path for path in glob.glob(center.path("agent-1", "jobs", "*", "*", "*"))
             if not re.search(r"/rank-\d+\.log[^/]*$", path) and os.path.basename(path) != "work"]
    descriptors = len(os.listdir("/proc/%d/fd" % center.pid("agent-1")))
    return {"processes": processes_of(center), "mounts": mounts, "groups": center.groups(), "locks": locks,
            "files": files, "descriptors": descriptors}


def tasks_of(center, token, array):
    return [job for job in center.items("ps", "-a", "--limit", "2000", token=token) if job["array_id"] == array]


def adopted_within(center, seconds):
    """Starts the agent that was killed; returns how many tasks it found, and in what time."""
    log = center.path("agent-1.log")
    before = os.path.getsize(log)
    began = time.monotonic()
    center.up()

    def found():
        with open(log) as file:
            file.seek(before)
            return re.search(r"tasks of an earlier agent adopted running=(\d+) ended=(\d+)", file.read())
    match = wait_until(found, seconds, "the tasks are adopted")
    return int(match.group(1)), int(match.group(2)), time.monotonic() - began


def main():
    isolation = "allow" if os.geteuid() == 0 else "off"
    with Center("--nodes", "1", "--devices", "32", "--isolation", isolation) as center:
        token = center.add_tenant("acme", 32, 32)
        empty = what_is_there(center)

        with shows("%d running tasks: a new agent has adopted all within 5 s, none has ended, no log has a gap" % TASKS):
            array = center.submit("--array", "0-%d" % (TASKS - 1), "--device-share", "0.25", "--grace", "2s", "--", "bash", "-c",
                                  TICK % (time.time() + RUN_SECONDS), token=token)
            wait_until(lambda: sum(job["state"] == "running" for job in tasks_of(center, token, array)) == TASKS, 60,
                       "all tasks run")
            center.kill("agent-1")
            running, ended, seconds = adopted_within(center, 5)
            expect((running, ended) == (TASKS, 0), "%d adopted, %d ended" % (running, ended))
            print("     %d tasks adopted %.2f s after the start" % (running, seconds))
            wait_until(lambda: center.items("nodes")[0]["state"] == "ready", 20, "the node is ready")
            center.try_berth("wait", str(array), token=token)
            for job in tasks_of(center, token, array):
                expect(job["attempt"] == 0 and job["end"]["exit_code"] == job["array_index"] % 50, str(job))
                ticks = re.findall(r"tick (\d+)", center.berth("logs", str(job["id"]), token=token))
                expect(ticks == [str(n) for n in range(len(ticks))] and len(ticks) > 10, "a gap: %s" % ticks[-20:])

        with shows("%d trivial tasks one after another leave no process, control group, mount, lock, file or descriptor" % TRIVIAL):
            began = time.monotonic()
            array = center.submit("--array", "0-%d%%1" % (TRIVIAL - 1), "--devices", "1", "--", "true", token=token)
            waited = center.try_berth("wait", str(array), token=token)
            expect(waited.code == 0, str(waited))
            print("     %.0f tasks/s" % (TRIVIAL / (time.monotonic() - began)))
            left = {}

            def nothing():
                left.update(what_is_there(center))
                return left == empty
            try:
                wait_until(nothing, 10, "nothing is left")
            except AssertionError as error:
                raise AssertionError("%s: %s, at first %s" % (error, left, empty)) from None

        with shows("control groups that an agent had kept for the next task when it was killed are gone with the next agent"):
            job = center.submit("--devices", "1", "--", "true", token=token)
            center.await_state(job, ["succeeded"], 20)
            center.kill("agent-1")
            print("     %d were left" % len(center.groups("[0-9]*")))
            center.up()
            wait_until(lambda: center.items("nodes")[0]["state"] == "ready", 20, "the node is ready, not quarantined")
            expect(not center.groups("[0-9]*"), "left: %s" % center.groups("[0-9]*"))
    finish()


if __name__ == "__main__":
    main()
