#!/usr/bin/env python3
"""A cancel ends every process of a gang, whatever the job has done to keep them."""

import os
import time

from center import Center, alive, expect, finish, shows, wait_until

GRACE = 2
# Each rank leaves behind: itself ignoring TERM, a child in a session of its own that ignores TERM and HUP, and a
# double-forked grandchild with a clean environment. All write their pids as the outside world sees them.
STUBBORN = r"""
import os, signal, subprocess, sys, time
marker = sys.argv[1]
for name in ("SIGTERM", "SIGHUP", "SIGINT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
loop = "exec -a %s sleep 1000" % marker
subprocess.Popen(["setsid", "bash", "-c", "trap '' TERM HUP INT; " + loop])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/bash", ["bash", "-c", loop], {})
    os._exit(0)
print("ready", flush=True)
os.execv("/bin/bash", ["bash", "-c", "trap '' TERM; while :; do sleep 1000; done #" + marker])
"""


def marked(marker):
    """Processes of this machine, in whatever namespace, whose command line has the marker."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                if marker.encode() in file.read() and alive(int(name)):
                    found.append(int(name))
        except OSError:
            pass
    return found


def stubborn_job(center, token, marker, grace, *options):
    script = center.path("stubborn.py")
    with open(script, "w") as file:
        file.write(STUBBORN)
    job = center.submit("--nodes", "2", "--devices", "2", "--launch", "device", "--grace", "%ds" % grace, *options,
                        "--", "/usr/bin/python3", script, marker, token=token)
    wait_until(lambda: len(marked(marker)) >= 12, 30, "12 processes of 4 ranks")
    return job


def expect_gone(marker, since, seconds):
    wait_until(lambda: not marked(marker), seconds, "no process is left")
    print("  the last process was gone after %.1f s" % (time.monotonic() - since))


def main():
    with Center("--nodes", "2", "--devices", "4") as center:
        token = center.add_tenant("acme", 8, 8)
        marker = "stubborn-%d" % os.getpid()

        with shows("cancel ends a gang's setsid'ed, double-forked, TERM-ignoring processes within grace + 5 s"):
            job = stubborn_job(center, token, marker + "-a", GRACE)
            since = time.monotonic()
            center.berth("cancel", str(job), token=token)
            expect_gone(marker + "-a", since, GRACE + 5)
            waited = center.try_berth("wait", str(job), token=token)
            expect(waited.code == 121, str(waited))
            expect(center.job(job, token=token)["state"] == "cancelled", "not cancelled")

        with shows("cancel --now leaves no grace"):
            job = stubborn_job(center, token, marker + "-b", 60)
            since = time.monotonic()
            center.berth("cancel", "--now", str(job), token=token)
            expect_gone(marker + "-b", since, 5)

        with shows("the time limit ends them too, the grace inside the limit"):
            job = stubborn_job(center, token, marker + "-c", GRACE, "--time", "5s")
            since = time.monotonic()
            expect_gone(marker + "-c", since, 5 + 5)
            waited = center.try_berth("wait", str(job), token=token)
            expect(waited.code == 122, str(waited))

        with shows("what a rank leaves behind when it ends by itself is ended"):
            script = "setsid sh -c 'trap \"\" TERM; exec -a %s-d sleep 1000' & sleep 0.3" % marker
            job = center.submit("--", "bash", "-c", script, token=token)
            waited = center.try_berth("wait", str(job), token=token)
            expect(waited.code == 0, str(waited))
            wait_until(lambda: not marked(marker + "-d sleep"), 5, "the background process is gone")
            expect(not [p for p in marked(marker + "-d")], "something is left")

        with shows("the first rank that fails ends the others, and its code is the job's"):
            job = center.submit("--nodes", "2", "--devices", "2", "--launch", "device", "--", "sh", "-c",
                                "[ $RANK != 3 ] || { sleep 0.5; exit 9; }; sleep 1000", token=token)
            waited = center.try_berth("wait", str(job), token=token, timeout=30)
            expect(waited.code == 9, str(waited))
            expect(center.job(job, token=token)["end"]["failed_rank"] == 3, str(center.job(job, token=token)))

        with shows("a waiting job is cancelled at once"):
            job = center.submit("--hold", "--", "true", token=token)
            center.berth("cancel", str(job), token=token)
            expect(center.job(job, token=token)["state"] == "cancelled", "not cancelled")
    finish()


if __name__ == "__main__":
    main()
