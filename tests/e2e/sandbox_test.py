#!/usr/bin/env python3
"""A job cannot reach other jobs, nor the node it runs on, whatever it tries; and the node stays healthy."""

import glob
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time

from center import Center, expect, finish, shows, skip, wait_until

SECRET = "hunter2-%d" % os.getpid()
# Runs one attempt of mischief and says how it went, so that a test can tell a refusal from a script that broke.
ATTEMPT = r"""
import ctypes, errno, os, socket, stat, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def attempt(what, action):
    try:
        action()
        print("DONE " + what, flush=True)
    except OSError as error:
        print("REFUSED %s %s" % (what, errno.errorcode.get(error.errno, error.errno)), flush=True)

def write(path, text):
    with open(path, "w") as file:
        file.write(text)
"""


def run(center, token, script, *options, timeout=60):
    """The log of a job that runs a Python script, and the job."""
    job = center.submit("--time", "5m", "--grace", "2s", *options, "--", "/usr/bin/python3", "-c", ATTEMPT + script,
                        token=token)
    center.try_berth("wait", str(job), token=token, timeout=timeout)
    return center.berth("logs", str(job), token=token), center.job(job, token=token)


def expect_refused(log, count):
    refused = re.findall(r"^REFUSED .*$", log, re.M)
    expect("DONE" not in log and "Traceback" not in log and len(refused) == count,
           "%d of %d refused:\n%s" % (len(refused), count, log))


def processes_with(text):
    """Pids of this machine, in whatever namespace, whose command line or environment holds the text."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        for part in ("cmdline", "environ"):
            try:
                with open("/proc/%s/%s" % (name, part), "rb") as file:
                    if text.encode() in file.read():
                        found.append((int(name), part))
            except OSError:
                pass
    return found


def expect_healthy(center, token):
    states = {node["state"] for node in center.items("nodes")}
    expect(states == {"ready"}, "nodes are %s" % states)
    result = center.try_berth("run", "--project", "research", "--devices", "1", "--", "true", token=token, timeout=30)
    expect(result.code == 0, str(result))


def other_jobs(center, token, victim):
    victim_job = victim["id"]
    allocation = str(victim["id"])
    with shows("another job's files: neither its folder, nor its /tmp, nor its output, nor its log"):
        script = """
for root in (%r, %r):
    attempt("list " + root, lambda: os.listdir(root))
attempt("read the output", lambda: open(%r).read())
print("TMP", os.listdir("/tmp"), os.listdir("/dev/shm"), os.path.exists("/tmp/victim"))
""" % (center.path("agent-1", "jobs"), center.path("agent-1", "jobs", allocation, "0"),
            center.path("agent-1", "jobs", allocation, "output", "result"))
        log, _ = run(center, token, script)
        expect_refused(log, 3)
        expect("TMP [] [] False" in log, log)

    with shows("another job's environment and processes: not seen, not signalled, not traced"):
        pids = [pid for pid, part in processes_with(SECRET) if part == "environ"]
        expect(pids, "the victim's process is not found on the host")
        script = """
own = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
print("SEES", len(own))
for pid in %r:
    attempt("read the environment", lambda: open("/proc/%%d/environ" %% pid).read())
    attempt("signal", lambda: os.kill(pid, 9))
    attempt("trace", lambda: call("ptrace", 16, pid, 0, 0))
attempt("trace the init", lambda: call("ptrace", 16, 1, 0, 0))
attempt("read the init's memory", lambda: open("/proc/1/mem").read(1))
""" % [pids[0] + 100000, pids[0] if pids[0] > 200 else pids[0] + 200000]
        log, _ = run(center, token, script)
        expect_refused(log, 8)
        expect(int(re.search(r"SEES (\d+)", log).group(1)) <= 3, log)
        expect(center.job(victim_job, token=token)["state"] == "running", "the victim is gone")

    with shows("shared memory and message queues of another job are not there"):
        log, _ = run(center, token, """
import subprocess
print("IPC", open("/proc/sysvipc/shm").read().count("\\n"), open("/proc/sysvipc/msg").read().count("\\n"))
""")
        expect("IPC 1 1" in log, log)  # the heading only


def the_node(center, token):
    with shows("mounts, device files, raw sockets, namespaces, keyrings, kernel settings: all refused"):
        log, _ = run(center, token, """
attempt("mount", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None))
attempt("umount", lambda: call("umount2", b"/tmp", 2))
attempt("chroot", lambda: os.chroot("/tmp"))
attempt("user namespace", lambda: call("unshare", 0x10000000))
attempt("mount namespace", lambda: call("unshare", 0x20000))
attempt("join init's namespace", lambda: call("setns", os.open("/proc/self/ns/mnt", os.O_RDONLY), 0))
attempt("mknod mem", lambda: os.mknod("/tmp/mem", 0o600 | stat.S_IFCHR, os.makedev(1, 1)))
attempt("mknod disk", lambda: os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(7, 0)))
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))
attempt("keyctl", lambda: call("syscall", 250, 0, -3, 1))
attempt("bpf", lambda: call("syscall", 321, 0, 0, 0))
attempt("perf", lambda: call("syscall", 298, 0, 0, 0, 0, 0))
attempt("kexec", lambda: call("syscall", 246, 0, 0, 0, 0))
attempt("reboot", lambda: call("syscall", 169, 0xfee1dead, 672274793, 0x1234567, 0))
attempt("load a module", lambda: call("syscall", 175, 0, 0, b""))
attempt("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, 0))
attempt("host name", lambda: socket.sethostname("mine"))
attempt("sysctl", lambda: write("/proc/sys/kernel/core_pattern", "|/tmp/x"))
attempt("sysfs", lambda: write("/sys/kernel/uevent_helper", "/tmp/x"))
attempt("passwords", lambda: open("/etc/shadow").read())
attempt("become root", lambda: os.setuid(0))
attempt("join a group", lambda: os.setgroups([0]))
attempt("raise the priority", lambda: os.nice(-5))
""")
        expect_refused(log, 24)

    with shows("control groups cannot be written, released into, or left"):
        log, _ = run(center, token, """
import glob
tasks = glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True)
print("GROUPS", len(tasks))
for path in sorted(tasks, key=len)[:8]:
    attempt("leave to " + path, lambda: write(path, "0"))
attempt("release agent", lambda: write("/sys/fs/cgroup/memory/release_agent", "/tmp/x"))
attempt("new group", lambda: os.mkdir("/sys/fs/cgroup/mine"))
for limit in glob.glob("/sys/fs/cgroup/**/berth-*/*/memory.limit_in_bytes", recursive=True)[:2] + \\
             glob.glob("/sys/fs/cgroup/**/berth-*/*/memory.max", recursive=True)[:2]:
    attempt("raise " + limit, lambda: write(limit, "9999999999"))
""")
        refused = len(re.findall("^REFUSED", log, re.M))
        expect("DONE" not in log and refused >= 3, log)

    with shows("a job is at the root of its control groups, and learns no name above it"):
        log, _ = run(center, token, """
print("GROUPS", sorted({line.split(":", 2)[2].strip() for line in open("/proc/self/cgroup")}))
attempt("another root", lambda: call("unshare", 0x02000000))
""")
        expect("GROUPS ['/']" in log, log)
        expect_refused(log, 1)

    with shows("a set-user-id program gives no privilege"):
        program = center.path("setuid-id")
        shutil.copy("/usr/bin/id", program)
        os.chmod(program, 0o4755)
        control = subprocess.run(["setpriv", "--reuid=65533", "--clear-groups", program, "-u"], capture_output=True,
                                 text=True)
        expect(control.stdout.strip() == "0", "the program is none: " + control.stdout + control.stderr)
        log, _ = run(center, token, "import subprocess; print('UID', subprocess.check_output([%r, '-u'], text=True))"
                     % program)
        expect(re.search(r"^UID 1[0-9]{9}$", log, re.M), log)


def devices(center, token):
    with shows("a device file that is not the job's cannot be opened, wherever it lies"):
        # As another job's device would be: anybody may open it, and its file system allows device files.
        mount = center.path("mnt")
        os.mkdir(mount)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "dev,mode=0755", "none", mount], check=True)
        try:
            node = os.path.join(mount, "other-device")
            os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(10, 200))  # tun, which anybody may open
            os.chmod(node, 0o666)
            control = subprocess.run(["setpriv", "--reuid=65533", "--clear-groups", "dd", "if=" + node, "of=/dev/null",
                                      "bs=1", "count=0"], capture_output=True, text=True)
            log, _ = run(center, token, """
print("SEES", os.path.exists(%r))
attempt("open the device", lambda: os.open(%r, os.O_RDWR))
attempt("open the device to read", lambda: os.open(%r, os.O_RDONLY | os.O_NONBLOCK))
print("OWN", [name for name in os.listdir("/dev") if name.startswith(("nvidia", "davinci", "kmsg", "mem", "vd"))])
""" % (node, node, node))
            expect_refused(log, 2)
            expect("SEES True" in log and "OWN []" in log, log)
            expect(control.returncode == 0, "it cannot be opened outside either: " + control.stderr)
        finally:
            subprocess.run(["umount", "-l", mount], check=True)

    with shows("the variables that name the visible devices cannot be overridden"):
        log, job = run(center, token, """
print("SEES", os.environ["CUDA_VISIBLE_DEVICES"], os.environ["NVIDIA_VISIBLE_DEVICES"])
""", "--devices", "1", "--env", "CUDA_VISIBLE_DEVICES=0,1,2,3", "--env", "NVIDIA_VISIBLE_DEVICES=all")
        expect(re.search(r"^SEES [0-3] void$", log, re.M), log)


def hogs(center, token):
    with shows("a fork bomb stays in its bounds, ends with its job, and the node answers meanwhile"):
        job = center.submit("--devices", "1", "--grace", "1s", "--", "/usr/bin/python3", "-c", """
import _thread, os, time
born = 0
print("bombs away", flush=True)
_thread.stack_size(65536)
while True:
    try:
        if os.fork() == 0:
            try:  # threads count, too, and are born sooner
                for i in range(7):
                    _thread.start_new_thread(time.sleep, (1000,))
            except RuntimeError:
                pass
            time.sleep(1000)
        born += 1
    except OSError:
        print("STOPPED at", born, flush=True)
        time.sleep(1000)
""", token=token)
        center.await_log(job, r"STOPPED at \d+", 60, token=token)
        expect_healthy(center, token)
        since = time.monotonic()
        center.berth("cancel", str(job), token=token)
        center.await_state(job, ["cancelled"], 20, token=token)
        print("  cancelled after %.1f s" % (time.monotonic() - since))

    with shows("a memory hog is ended at its limit, the reason is oom, and its neighbour goes on"):
        log, job = run(center, token, """
hog = []
while True:
    hog.append(bytearray(16 << 20))
""", "--devices", "1", "--memory", "128MiB")
        expect(job["end"]["reason"] == "oom", str(job))
        explained = center.berth("explain", str(job["id"]), token=token)
        expect("berth retry %d --memory 256MiB" % job["id"] in explained, explained)

    with shows("a process that daemonises and ignores TERM is gone with its job, and its control groups too"):
        job = center.submit("--devices", "1", "--grace", "1s", "--", "/usr/bin/python3", "-c", """
import os, signal, time
for name in ("SIGTERM", "SIGHUP", "SIGINT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
for i in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sh", ["sh", "-c", "trap '' TERM HUP; while :; do sleep 1; done; : " + %r], {})
        os._exit(0)
print("ready", flush=True)
time.sleep(1000)
""" % (SECRET + "-daemon"), token=token)
        center.await_log(job, "ready", 30, token=token)
        wait_until(lambda: len(processes_with(SECRET + "-daemon")) >= 4, 20, "the daemons run")
        center.berth("cancel", str(job), token=token)
        center.await_state(job, ["cancelled"], 20, token=token)
        expect(not processes_with(SECRET + "-daemon"), "left: %s" % processes_with(SECRET + "-daemon"))


def secrets(center, token, victim):
    with shows("a planted secret is in no command line, no log of a daemon, and no environment but its own job's"):
        pids = processes_with(SECRET)
        expect(pids and all(part == "environ" for _, part in pids), str(pids))
        for pid, _ in pids:
            owner = os.stat("/proc/%d" % pid).st_uid
            expect(owner >= 1900000000, "process %d of user %d has it" % (pid, owner))
        for name in glob.glob(center.path("*.log")):
            with open(name, "rb") as file:
                expect(SECRET.encode() not in file.read(), name)
        for name in glob.glob("/var/log/**/*", recursive=True) + glob.glob("/run/log/**/*", recursive=True):
            if os.path.isfile(name):
                with open(name, "rb") as file:
                    expect(SECRET.encode() not in file.read(), name)
        shown = center.berth("show", str(victim["id"]), "-o", "json") + center.berth("ps", "-A", "-a", "-o", "json")
        expect(SECRET not in shown, "an operator is shown it")
        for root, _, names in os.walk(center.path("agent-1")):
            for name in names:
                path = os.path.join(root, name)
                info = os.lstat(path)
                if not os.path.isfile(path) or info.st_mode & 0o077 == 0:
                    continue
                with open(path, "rb") as file:
                    expect(SECRET.encode() not in file.read(), "readable by others: " + path)


def main():
    if os.geteuid() != 0:
        skip("isolation of jobs", "it takes root to make it")
        finish()
    # Not below /tmp: a job's /tmp is its own.
    os.environ["TMPDIR"] = tempfile.tempdir = "/var/lib"
    with Center("--nodes", "1", "--devices", "4", "--isolation", "allow") as center:
        os.chmod(center.dir, 0o755)
        with open(center.path("agent-1.log")) as file:
            missing = re.search("isolated less.*missing=(.*)", file.read())
        if missing:
            skip("some of the isolation", "this machine lacks " + missing.group(1))
        token = center.add_tenant("acme", 4, 4)
        job = center.submit("--devices", "1", "--env", "PASSWORD=" + SECRET, "--", "sh", "-c",
                            "echo ours > $BERTH_OUTPUT_DIR/result; touch /tmp/victim; echo ready; sleep 1000", token=token)
        center.await_log(job, "ready", 20, token=token)
        victim = center.job(job, token=token)
        other_jobs(center, token, victim)
        the_node(center, token)
        devices(center, token)
        hogs(center, token)
        secrets(center, token, victim)
        with shows("after all of it the node is ready, and only the victim still has control groups"):
            expect_healthy(center, token)
            wait_until(lambda: len({os.path.basename(path) for path in center.groups("[0-9]*")}) == 1, 10,
                       "groups: %s" % center.groups("[0-9]*"))
            expect(center.job(job, token=token)["state"] == "running", "the victim did not live")
        with shows("the last job and the agent take their control groups with them"):
            own = center.groups("")
            expect(own, "there are none")
            center.berth("cancel", "--now", str(job), token=token)
            wait_until(lambda: not center.groups("[0-9]*"), 10, "the victim's groups are gone")
            center.down()
            expect(not [path for path in own if os.path.isdir(path)], "left: %s" % center.groups(""))
    finish()


if __name__ == "__main__":
    main()
