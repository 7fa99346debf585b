#!/usr/bin/env python3
"""A node loses its power after a task's end: the exit record is on the disk, whatever kind of ext4 that is."""

import glob
import os
import shutil
import signal
import subprocess

from center import Center, expect, finish, mount_small_disk, shows, wait_until

KINDS = {
    "a journal": (),
    "no journal": ("-O", "^has_journal"),
    "no extents": ("-O", "^extent,^64bit"),
}


def content_after_cut(center, path):
    """What a file of the agent's holds on a disk that has only what was written to the device so far."""
    cut, seen = center.path("cut.img"), center.path("cut")
    shutil.copyfile(center.path("disk.img"), cut)
    os.makedirs(seen)
    subprocess.run(["e2fsck", "-fy", cut], capture_output=True)
    subprocess.run(["mount", "-o", "loop", cut, seen], check=True)
    try:
        with open(os.path.join(seen, os.path.relpath(path, center.path("agent-1")))) as file:
            return file.read()
    except FileNotFoundError:
        return None
    finally:
        subprocess.run(["umount", seen], check=True)


def record_is_there(center, options):
    folder = mount_small_disk(center, "agent-1", 128, *options)
    try:
        center.up()
        token = center.add_tenant("acme", 4, 4)
        job = center.submit("--devices", "1", "--", "sh", "-c", "sleep 2; exit 7", token=token)
        center.await_state(job, ["running"], 20, token=token)
        # It writes nothing any more that could force the disk in the shim's stead.
        os.kill(center.pid("agent-1"), signal.SIGSTOP)
        where = glob.glob(os.path.join(folder, "jobs", str(job), "[0-9]*"))[0]
        wait_until(lambda: not os.path.exists(where + "/shim.sock"), 20, "the shim has ended")
        content = content_after_cut(center, where + "/exit")
        os.kill(center.pid("agent-1"), signal.SIGCONT)
        expect(content is not None, "there is no record")
        expect(content.startswith("berth-exit 2 ") and content.split()[4] == "7", "the record says: %r" % content)
        center.await_state(job, ["failed"], 20, token=token)
    finally:
        center.down()
        wait_until(lambda: subprocess.run(["umount", folder], capture_output=True).returncode == 0, 20, "umount")


def main():
    for kind, options in KINDS.items():
        center = Center("--nodes", "1", "--devices", "4", "--isolation", "allow")
        try:
            with shows("on a disk with %s the exit record survives a power cut right after it" % kind):
                record_is_there(center, options)
        finally:
            center.__exit__()
    finish()


if __name__ == "__main__":
    main()
