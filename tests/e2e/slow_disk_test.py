#!/usr/bin/env python3
"""A disk that does not answer for a while makes no node silent: heartbeats come in time, until it has taken too long."""

import contextlib
import fcntl
import os
import subprocess
import time

from center import Center, NotHere, expect, finish, mount_small_disk, shows, wait_until

# Of linux/fs.h: nothing is written to the file system between them; who writes waits.
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878


@contextlib.contextmanager
def frozen(folder):
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.ioctl(opened, FIFREEZE, 0)
        except OSError as error:
            raise NotHere("freezing a file system: %s" % error) from None
        try:
            yield
        finally:
            fcntl.ioctl(opened, FITHAW, 0)
    finally:
        os.close(opened)


def node(center):
    return center.items("nodes")[0]


def latest_within(center, seconds):
    """The longest that the scheduler had heard nothing."""
    latest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        latest = max(latest, node(center)["last_heartbeat_seconds"])
        time.sleep(0.1)
    return latest


def slow(center, folder):
    token = center.add_tenant("acme", 4, 4)
    before = center.submit("--devices", "1", "--", "sleep", "600", token=token)
    center.await_state(before, ["running"], 20)
    with shows("heartbeats come every second while an assignment waits for the disk"):
        with frozen(folder):
            waiting = center.submit("--devices", "1", "--", "true", token=token)
            silent = latest_within(center, 6)
            expect(silent < 4, "nothing was heard for %.1f s" % silent)
            expect(node(center)["state"] == "ready", str(node(center)))
            expect(center.job(waiting)["state"] in ("dispatching", "starting"), str(center.job(waiting)["state"]))
    with shows("once the disk answers the task runs, and the other one has seen nothing of it"):
        center.await_state(waiting, ["succeeded"], 20)
        expect(center.job(before)["state"] == "running", str(center.job(before)))
    with shows("a node whose disk does not answer for long falls silent, as it could take no task, and comes back"):
        with frozen(folder):
            waiting = center.submit("--devices", "1", "--", "true", token=token)
            wait_until(lambda: node(center)["last_heartbeat_seconds"] > 4, 25, "the node is silent")
        center.await_state(waiting, ["succeeded"], 20)
        wait_until(lambda: node(center)["last_heartbeat_seconds"] < 2, 10, "the node is heard again")
    center.berth("cancel", str(before), token=token)
    center.try_berth("wait", str(before), token=token)


def main():
    center = Center("--nodes", "1", "--devices", "4", "--isolation", "allow")
    folder = None
    try:
        with shows("a center whose node has a disk of its own"):
            folder = mount_small_disk(center, "agent-1", 200)
            center.up()
        if folder is not None:
            slow(center, folder)
            center.down()
    finally:
        if folder is not None:
            wait_until(lambda: subprocess.run(["umount", folder], capture_output=True).returncode == 0, 20, "umount")
        center.__exit__()
    finish()


if __name__ == "__main__":
    main()
