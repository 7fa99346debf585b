#!/usr/bin/env python3
"""A silent node is switched off by the center's fence command; its job runs elsewhere long before the lease is over."""

import os
import stat
import time

from center import Center, expect, finish, shows, wait_until

# What a power switch does to a simulated node: everything of it is gone.
FENCE = r"""#!/usr/bin/python3
import glob, os, signal, sys, time
center, node = %r, sys.argv[1]
with open(center + "/fenced", "a") as log:
    log.write(node + "\n")
if os.path.exists(center + "/broken"):
    print("the management network is down")
    sys.exit(3)

def processes():
    home = ("%%s/%%s" %% (center, node.replace("node-", "agent-"))).encode()
    for path in glob.glob("/proc/[0-9]*"):
        try:
            words = open(path + "/cmdline", "rb").read() + open(path + "/environ", "rb").read()
        except OSError:
            continue
        if home + b"/" in words or home + b".toml" in words:
            yield int(path[6:])

while found := [pid for pid in processes() if pid != os.getpid()]:
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    time.sleep(0.01)
"""


def write_fence(center):
    path = center.path("fence")
    with open(path, "w") as file:
        file.write(FENCE % center.dir)
    os.chmod(path, stat.S_IRWXU)
    return path


def fenced(center):
    try:
        with open(center.path("fenced")) as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def main():
    center = Center()
    center.options = ("--nodes", "6", "--devices", "2", "--config", 'nodes.fence_command=["%s"]' % write_fence(center),
                      "--config", "nodes.heartbeat_interval=200ms", "--config", "nodes.suspect_after=1s",
                      "--config", "nodes.fence_after=3s")
    with center:
        token = center.add_tenant("acme", 8, 8)
        marks = center.path("marks")
        script = 'while :; do echo $BERTH_ATTEMPT >> %s; sleep 0.05; done' % marks

        def run(*options):
            job = center.submit("--nodes", "1", "--devices", "2", *options, "--", "sh", "-c", script,
                                token=token)
            return job, center.await_state(job, ["running"], 20, token=token)["nodes"][0]

        with shows("a fence that fails releases nothing, and the operator sees why"):
            open(center.path("broken"), "w").close()
            job, node = run("--on-node-loss", "hold")
            begun = time.monotonic()
            center.kill(node.replace("node-", "agent-"))
            wait_until(lambda: fenced(center), 30, "the fence command is run")
            expect(time.monotonic() - begun > 2.5, "fenced too early")
            row = wait_until(lambda: next((n for n in center.items("nodes") if n["name"] == node
                                           and "management network" in str(n)), None), 10, "the failure is shown")
            expect("exit code 3: the management network is down" in str(row), str(row))
            expect(center.job(job, token=token)["state"] == "running", str(center.job(job, token=token)))

        with shows("its agent is back: nothing was lost, and it is fenced no more"):
            center.up()
            wait_until(lambda: all(n["state"] == "ready" for n in center.items("nodes")), 20, "all nodes are ready")
            expect(center.job(job, token=token)["attempt"] == 0, str(center.job(job, token=token)))
            expect(fenced(center) == [node], str(fenced(center)))
            center.berth("cancel", str(job), token=token)
            center.await_state(job, ["cancelled"], 30, token=token)
            os.unlink(center.path("broken"))

        with shows("a fence that succeeds: the job runs elsewhere at once, and the first attempt is gone"):
            job, node = run("--on-node-loss", "hold")
            os.truncate(marks, 0)
            center.kill(node.replace("node-", "agent-"))
            again = wait_until(lambda: next((j for j in [center.job(job, token=token)] if j["attempt"] == 1
                                             and j["state"] == "running"), None), 40, "the second attempt runs")
            expect(again["nodes"] != [node], str(again))
            with open(marks) as file:
                attempts = file.read().split()
            expect(attempts == sorted(attempts) and set(attempts) == {"0", "1"}, "attempts overlap: %s" % attempts)
            lost = next(n for n in center.items("nodes") if n["name"] == node)
            expect(lost["state"] == "lost" and "switched off by the fence command" in str(lost), str(lost))
            log = open(center.path("berthd.log")).read()
            expect("running the fence command" in log, log[-2000:])

        with shows("the node comes back empty and takes work again"):
            center.up()
            wait_until(lambda: all(n["state"] == "ready" for n in center.items("nodes")), 20, "all nodes are ready")
            expect(center.job(job, token=token)["attempt"] == 1, str(center.job(job, token=token)))
            center.berth("cancel", str(job), token=token)
            center.await_state(job, ["cancelled"], 30, token=token)
            wait_until(lambda: all(n["devices_free"] == 2 for n in center.items("nodes")), 20, "all devices are free")
    finish()


if __name__ == "__main__":
    main()
