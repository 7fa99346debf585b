#!/usr/bin/env python3
"""In a guest, whose control groups are all of version 2: the shipped units run a scheduler and an agent, and these jobs."""

import glob
import json
import os
import re
import signal
import stat
import subprocess
import sys
import termios
import time

from center import Center, alive, expect, shows, wait_until

GROUPS = "/sys/fs/cgroup"
TASKS = GROUPS + "/system.slice/berth-tasks.service"
IMAGE = "/var/lib/berth/images/small"
GIVEN = "/dev/cpu_dma_latency"
FIRST_USER = 1900000000
PROCESSES_MAX = 60
READY = "/srv/ready"
SAY_READY = ": >%s/$BERTH_JOB_ID" % READY
GO = "/srv/go"
# What anything may take: on a busy machine it is all very slow.
SECONDS = 120
# Between two looks by a program, which is slow here.
PAUSE = 0.5
# Until the file is there; then it ends well.
AWAIT_GO = SAY_READY + "; echo ready; while [ ! -e %s ]; do sleep 1; done; echo went on" % GO


class GuestCenter(Center):
    """The center of the shipped units."""

    def __init__(self):
        self.dir = "/srv/center"
        os.makedirs(self.dir, exist_ok=True)

    def start(self):
        write("/etc/berth/berthd.toml", """
listen = "127.0.0.1:7443"
[nodes]
heartbeat_interval = "1s"
suspect_after = "20s"
""")
        write("/etc/berth/agent.toml", """
server = "127.0.0.1:7443"
node = "guest"
token_file = "/etc/berth/agent.token"
[isolation]
policy = "require"
devices = ["/dev/berth-fabric"]
[tasks]
processes_max = %d
[images]
folders = ["%s"]
[devices]
kind = "simulated"
[[simulated]]
class = "sim-a100-80g"
count = 16
memory = "80GiB"
""" % (PROCESSES_MAX, os.path.dirname(IMAGE)))
        write(self.path("address"), "127.0.0.1:7443\n")
        systemd("restart", "systemd-sysusers")
        systemd("start", "berthd")
        wait_until(lambda: os.path.exists("/var/lib/berth/admin.sock"), SECONDS, "the scheduler serves")
        self.berth("admin", "bootstrap", "--socket", "/var/lib/berth/admin.sock", "--token-file", self.path("operator.token"))
        self.berth("token", "create", "--node", "guest", "--token-file", "/etc/berth/agent.token")
        systemd("start", "berth-agent")
        self.await_ready()

    def await_ready(self):
        def is_ready():
            result = self.try_berth("nodes", "-o", "json")
            return result.code == 0 and [node["state"] for node in json.loads(result.out)["items"]] == ["ready"]

        wait_until(is_ready, SECONDS, "the node is ready", PAUSE)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def read(*names):
    with open(os.path.join(*names)) as file:
        return file.read().strip()


def make_device(path, like):
    os.mknod(path, 0o666 | stat.S_IFCHR, os.stat(like).st_rdev)
    os.chmod(path, 0o666)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def systemd(*arguments):
    done = run("systemctl", *arguments)
    expect(done.returncode == 0, "systemctl %s: %s" % (" ".join(arguments), done.stderr))
    return done.stdout.strip()


def main_pid(unit):
    return int(systemd("show", "--value", "-p", "MainPID", unit))


def journal(unit):
    return run("journalctl", "-q", "--no-pager", "-o", "cat", "-u", unit).stdout


def group_of(job):
    """The folder of its control group; the first allocations have their jobs' numbers."""
    found = glob.glob(TASKS + "/berth-*/%d" % job)
    expect(len(found) == 1, "groups of job %d: %s" % (job, found))
    return found[0]


def members(folder):
    return [int(pid) for pid in read(folder, "cgroup.procs").split()]


def task_processes():
    """Pids of tasks' users, and the control group of each."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat("/proc/" + name).st_uid >= FIRST_USER:
                found[int(name)] = GROUPS + read("/proc", name, "cgroup").split(":", 2)[2]
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def shims():
    """Pids of the supervisors of tasks."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if read(path).startswith("/usr/sbin/berth-shim\0/var/lib/berth-agent/jobs/"):
                found.append(int(path.split("/")[2]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def task_groups():
    return glob.glob(TASKS + "/berth-*/[0-9]*")


def start(center, token, *arguments):
    """A job whose command tells that it is ready by a file, which costs less than to ask for its log."""
    job = center.submit(*arguments, token=token)
    wait_until(lambda: os.path.exists("%s/%d" % (READY, job)), SECONDS, "job %d is ready" % job)
    return job


def expect_success(center, token, job):
    result = center.try_berth("wait", str(job), token=token)
    expect(result.code == 0, str(result))


def expect_ended(center, token, job, state):
    center.try_berth("wait", str(job), token=token)
    shown = center.job(job, token=token)
    expect(shown["state"] == state, str(shown))
    return shown


def end_all(center, token, *jobs):
    for job in jobs:
        center.berth("cancel", "--now", str(job), token=token)
    wait_until(lambda: not any(glob.glob(TASKS + "/berth-*/%d" % job) for job in jobs), SECONDS, "their groups are gone")


def limits_of(group):
    return {name: read(group, name) for name in
            ("cpu.max", "cpu.weight", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max")}


def the_node(center):
    with shows("a node with version 2 says so, and has every facility that policy \"require\" asks for"):
        node = center.items("nodes")[0]
        expected = {"cgroup-v2", "cgroup-cpu", "cgroup-memory", "cgroup-pids", "cgroup-devices", "cgroup-kill",
                    "cgroup-namespace"}
        expect(expected <= set(node["facilities"]) and "cgroup-v1" not in node["facilities"], str(node))

    with shows("the units run, systemd knows all of their settings, and the scheduler's is well closed"):
        for unit in ("berthd", "berth-agent", "berth-tasks"):
            expect(systemd("is-active", unit) == "active", unit)
        verified = run("systemd-analyze", "verify", "berthd.service", "berth-agent.service")
        expect(not re.search(r"Unknown|Failed to parse|berth", verified.stderr), verified.stderr)
        rated = run("systemd-analyze", "security", "--threshold=25", "--no-pager", "berthd.service")
        expect(rated.returncode == 0, rated.stdout[-300:])

    with shows("the agent stays in its unit, and no group with controllers below it has a process of its own"):
        expect("/system.slice/berth-agent.service" in read("/proc/%d/cgroup" % main_pid("berth-agent")), "it left")
        own = glob.glob(TASKS + "/berth-*")
        expect(len(own) == 1, str(own))
        for folder in (TASKS, own[0]):
            expect({"cpu", "memory", "pids"} <= set(read(folder, "cgroup.subtree_control").split()),
                   "%s passes on %s" % (folder, read(folder, "cgroup.subtree_control")))
            expect(not members(folder), "%s has processes" % folder)


def limits(center, token):
    with shows("a job is in a group of its own below the tasks' unit, none of it outside, with the limits it asked for"):
        job = start(center, token, "--cpus", "2", "--memory", "96MiB", "--", "sh", "-c",
                    "sleep 1000 & setsid sleep 1000 & %s; wait" % SAY_READY)
        group = group_of(job)
        expect(limits_of(group) == {
            "cpu.max": "200000 100000", "cpu.weight": "200", "memory.max": str(96 << 20), "memory.oom.group": "1",
            "memory.swap.max": "0", "pids.max": str(PROCESSES_MAX)}, str(limits_of(group)))
        processes = task_processes()
        expect(len(processes) >= 4 and set(processes.values()) == {group}, str(processes))

    with shows("when memory runs out the job is none of those that are spared, as its supervisor is"):
        expect({read("/proc/%d/oom_score_adj" % pid) for pid in processes} == {"0"}, "the job is")
        supervisor, = [pid for pid in shims() if "/berth-agent.service" in read("/proc/%d/cgroup" % pid)]
        expect(read("/proc/%d/oom_score_adj" % supervisor) == "-900", "its supervisor is not")

    with shows("what is entered into a running job is in its group, too"):
        entered = center.berth("exec", str(job), "--", "sh", "-c", "cat /proc/self/cgroup; cat /sys/fs/cgroup/memory.max",
                               token=token)
        expect(entered.split() == ["0::/", str(96 << 20)], entered)

    with shows("systemd reloads and leaves the tasks' groups as they are"):
        before = limits_of(group_of(job))
        systemd("daemon-reload")
        expect(limits_of(group_of(job)) == before, "%s became %s" % (before, limits_of(group_of(job))))
        expect("memory" in read(TASKS, "cgroup.subtree_control"), "no longer passed on")
    end_all(center, token, job)


NOSE = r"""
try() { what=$1; shift; if "$@" 2>/dev/null; then echo "DONE $what"; else echo "REFUSED $what"; fi; }
put() { echo "$1" >"$2"; }
cat /proc/self/cgroup
echo "LIMIT $(cat /sys/fs/cgroup/memory.max)"
echo "FOLDERS $(find /sys/fs/cgroup -mindepth 1 -type d | wc -l)"
try raise put max /sys/fs/cgroup/memory.max
try join put 0 /sys/fs/cgroup/cgroup.procs
try nest mkdir /sys/fs/cgroup/mine
try remount mount -t cgroup2 none /mnt
try namespace unshare -C true
"""


def closed_in(center, token):
    for what, options in (("", []), (" in an image", ["--image", IMAGE])):
        with shows("a job%s sees its own group as the root, reads its limit there, and cannot change or leave it" % what):
            job = center.submit("--memory", "80MiB", *options, "--", "sh", "-c", NOSE, token=token)
            expect_success(center, token, job)
            log = center.berth("logs", str(job), token=token)
            expect("0::/\nLIMIT %d\nFOLDERS 0\n" % (80 << 20) in log, log)
            expect("DONE" not in log and log.count("REFUSED") == 5, log)


def devices(center, token):
    with shows("of two device files that anybody may open a job opens the one that it was given (BPF)"):
        # What makes the difference is the number, not where the file lies.
        os.makedirs("/srv/dev")
        make_device("/srv/dev/given", GIVEN)
        make_device("/srv/dev/other", "/dev/ttyS1")
        opens = "for name in given other; do if (: <>/srv/dev/$name); then echo OPENED $name; else echo REFUSED $name; fi; done"
        control = run("setpriv", "--reuid=65533", "--clear-groups", "sh", "-c", opens)
        expect(control.stdout == "OPENED given\nOPENED other\n", "outside: " + control.stdout + control.stderr)
        job = center.submit("--", "sh", "-c", "ls -l /dev/berth-fabric; " + opens, token=token)
        expect_success(center, token, job)
        log = center.berth("logs", str(job), token=token)
        expect("OPENED given\n" in log and "REFUSED other\n" in log and "not permitted" in log, log)


def hogs(center, token):
    neighbour = start(center, token, "--memory", "64MiB", "--", "sh", "-c", AWAIT_GO)
    with shows("a memory hog takes its whole group with it, ends as oom, and its neighbour and the units live"):
        job = center.submit("--memory", "48MiB", "--", "sh", "-c",
                            "trap '' TERM; setsid sleep 1000 & head -c 1G /dev/zero | tail; echo outlived it", token=token)
        ended = expect_ended(center, token, job, "failed")
        expect(ended["end"]["reason"] == "oom", str(ended["end"]))
        explained = center.berth("explain", str(job), token=token)
        expect("memory limit" in explained, explained)
        expect("outlived" not in center.berth("logs", str(job), token=token), "a process of the group lived on")
        expect(set(task_processes().values()) == {group_of(neighbour)}, str(task_processes()))
        expect(center.job(neighbour, token=token)["state"] == "running", "the neighbour is gone")
        expect(systemd("is-active", "berth-tasks", "berth-agent") == "active\nactive", "a unit is not active")

    with shows("a fork bomb is stopped by pids.max, and the node answers meanwhile"):
        job = center.submit("--", "sh", "-c", "trap '' TERM; bomb() { bomb | bomb & }; bomb; sleep 1000", token=token)
        group = wait_until(lambda: glob.glob(TASKS + "/berth-*/%d" % job), SECONDS, "it runs")[0]
        wait_until(lambda: re.search(r"^max [1-9]", read(group, "pids.events")), SECONDS, "the limit is met")
        expect(int(read(group, "pids.current")) <= PROCESSES_MAX, read(group, "pids.current"))
        center.await_ready()
        end_all(center, token, job)
    return neighbour


def stubborn(center, token):
    with shows("daemons that ignore TERM are gone with their job, and so is its group"):
        job = start(center, token, "--grace", "1s", "--", "sh", "-c",
                    "trap '' TERM HUP INT; for i in 1 2 3; do setsid sleep 1000 & done; %s; "
                    "while :; do sleep 1; done" % SAY_READY)
        pids = [pid for pid, group in task_processes().items() if group == group_of(job)]
        expect(len(pids) >= 5, str(pids))
        center.berth("cancel", str(job), token=token)
        expect_ended(center, token, job, "cancelled")
        expect(not [pid for pid in pids if alive(pid)], "they live")
        wait_until(lambda: not glob.glob(TASKS + "/berth-*/%d" % job), SECONDS, "the group is gone")


def restart(center, agent):
    systemd("restart", "berth-agent")


def kill(center, agent):
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: main_pid("berth-agent") not in (0, agent), SECONDS, "systemd starts another", PAUSE)


def survival(center, token, neighbour):
    jobs = [neighbour] + [start(center, token, "--memory", "32MiB", "--", "sh", "-c", AWAIT_GO) for _ in range(3)]
    for what, act in (("systemctl restart berth-agent", restart), ("kill -9 of the agent", kill)):
        with shows("%s under %d jobs: all adopted, none lost, each in its group" % (what, len(jobs))):
            before, adoptions = task_processes(), journal("berth-agent").count("adopted running=%d" % len(jobs))
            agent = main_pid("berth-agent")
            act(center, agent)
            expect(main_pid("berth-agent") not in (0, agent), "it is the same agent")
            wait_until(lambda: journal("berth-agent").count("adopted running=%d" % len(jobs)) == adoptions + 1, SECONDS,
                       "adopted; its log:\n" + journal("berth-agent")[-1500:], PAUSE)
            center.await_ready()
            after = task_processes()
            steady = {pid: group for pid, group in before.items() if alive(pid)}
            expect(len(steady) >= 2 * len(jobs) and steady.items() <= after.items(), "%s\n%s" % (before, after))
            expect(set(after.values()) == {group_of(job) for job in jobs}, str(after))
            expect(read(group_of(jobs[1]), "memory.max") == str(32 << 20), "the limit is gone")
            expect(systemd("is-active", "berth-tasks", "berth-agent") == "active\nactive", "a unit is not active")
    with shows("systemctl restart berthd under %d jobs: the node is back, and they run" % len(jobs)):
        systemd("restart", "berthd")
        center.await_ready()
        states = {job["id"]: job["state"] for job in center.items("ps", token=token)}
        expect(states == dict.fromkeys(jobs, "running"), str(states))
    with shows("they end well after it, in their first attempts"):
        write(GO, "")
        for job in jobs:
            expect_success(center, token, job)
            expect(center.berth("logs", str(job), token=token) == "ready\nwent on\n", "the log has a gap")
        attempts = {job["id"]: job["attempt"] for job in center.items("ps", "-a", token=token)}
        expect([attempts[job] for job in jobs] == [0] * len(jobs), str(attempts))


def nothing_left(center, token, mounts):
    with shows("after the jobs no group, process, shim or mount of theirs is left"):
        wait_until(lambda: not task_groups(), SECONDS, "groups: %s" % task_groups())
        expect(not task_processes(), str(task_processes()))
        expect(not shims(), "shims live: %s" % shims())
        expect(read("/proc/self/mountinfo").splitlines() == mounts, read("/proc/self/mountinfo"))

    with shows("the agent's unit stops and leaves no group"):
        systemd("stop", "berth-agent")
        expect(not glob.glob(TASKS + "/berth-*"), str(os.listdir(TASKS)))
        systemd("start", "berth-agent")
        center.await_ready()

    with shows("to stop the tasks' unit ends what runs, which the next agent tells"):
        job = start(center, token, "--memory", "32MiB", "--max-requeues", "0", "--", "sh", "-c", SAY_READY + "; sleep 1000")
        systemd("stop", "berth-tasks")
        expect(not task_processes(), str(task_processes()))
        expect(run("systemctl", "is-active", "berth-agent").stdout == "inactive\n", "the agent runs without it")
        systemd("start", "berth-agent")
        ended = expect_ended(center, token, job, "failed")
        expect(ended["end"]["reason"] == "signal" and ended["end"]["signal"] == signal.SIGTERM, str(ended["end"]))
        expect_success(center, token, center.submit("--memory", "32MiB", "--", "true", token=token))


def main():
    started = time.monotonic()
    make_device("/dev/berth-fabric", GIVEN)
    os.makedirs(IMAGE)
    os.makedirs(READY)
    os.chmod(READY, 0o1777)
    run("mount", "--bind", "/", IMAGE)
    center = GuestCenter()
    with shows("the shipped units start a center"):
        center.start()
    mounts = read("/proc/self/mountinfo").splitlines()
    token = center.add_tenant("acme", 16, 16)
    the_node(center)
    limits(center, token)
    closed_in(center, token)
    devices(center, token)
    neighbour = hogs(center, token)
    stubborn(center, token)
    survival(center, token, neighbour)
    nothing_left(center, token, mounts)
    print("  the checks took %.1f s\nEND" % (time.monotonic() - started), flush=True)


if __name__ == "__main__":
    try:
        main()
    finally:
        with open("/dev/ttyS0", "w") as console:
            console.write(run("journalctl", "-q", "--no-pager", "-o", "short-monotonic", "-u", "berth*").stdout)
            console.flush()
            for line in (console, sys.stdout):
                termios.tcdrain(line)
