#!/usr/bin/env python3
"""A job cannot fill the node's disk: it ends at its bound, and when the disk runs short the one that has most ends."""

import subprocess

from center import Center, expect, finish, mount_small_disk, shows, wait_until

FILL = """
import os, sys, time
folder, mib, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
file = open(os.path.join(folder, "large"), "wb")
if how == "removed":
    os.unlink(file.name)
for _ in range(mib):
    file.write(os.urandom(1 << 20))
    file.flush()
    time.sleep(0.01)
print("written", flush=True)
time.sleep(600)
"""


def ended(center, token, job):
    center.try_berth("wait", str(job), token=token)
    row = center.job(job, token=token)
    return row["state"], row["end"]["reason"], row["end"]["message"]


def bounds(center, token):
    def fill(where, mib, how, *options):
        return center.submit("--devices", "1", *options, "--", "python3", "-c", FILL, where, str(mib), how, token=token)

    with shows("a job that writes more than --disk ends as disk-limit, with the numbers, and its neighbour goes on"):
        neighbour = fill(".", 40, "kept", "--disk", "100MiB")
        job = fill("/tmp", 400, "kept", "--disk", "100MiB")
        state, reason, message = ended(center, token, job)
        expect((state, reason) == ("failed", "disk-limit"), "%s %s %s" % (state, reason, message))
        expect("on the node's disk, and may have 100 MiB" in message, message)
        result = center.try_berth("wait", str(job), token=token)
        expect(result.code == 137, str(result))
        explained = center.berth("explain", str(job), token=token)
        expect("may have 100 MiB" in explained, explained)
        expect("100 MiB on each node" in center.berth("show", str(job), token=token), "show")
        center.await_log(neighbour, "written", 20, token)
        expect(center.job(neighbour, token=token)["state"] == "running", "the neighbour has ended")
        center.berth("cancel", str(neighbour), token=token)

    with shows("a removed file that the job holds open counts: nothing is hidden that way"):
        state, reason, message = ended(center, token, fill(".", 400, "removed", "--disk", "100MiB"))
        expect((state, reason) == ("failed", "disk-limit"), "%s %s %s" % (state, reason, message))

    with shows("a disk limit that is no size is refused"):
        result = center.try_berth("submit", "--project", "research", "--disk", "much", "--", "true", token=token)
        expect(result.code == 2 and "--disk" in result.err and "64GiB" in result.err, str(result))


def reserve(center):
    with shows("a disk that runs short: the job that has most ends, a small one and the node go on"):
        folder = mount_small_disk(center, "agent-1", 600)
        try:
            center.up()
            token = center.add_tenant("acme", 4, 4)
            small = center.submit("--devices", "1", "--", "python3", "-c", FILL, ".", "5", "kept", token=token)
            center.await_log(small, "written", 20, token)
            large = center.submit("--devices", "1", "--", "python3", "-c", FILL, ".", "5000", "kept", token=token)
            state, reason, message = ended(center, token, large)
            expect((state, reason) == ("failed", "disk-limit"), "%s %s %s" % (state, reason, message))
            expect("this task has most of it" in message, message)
            expect(center.job(small, token=token)["state"] == "running", "the small one has ended")
            expect([node["state"] for node in center.items("nodes")] == ["ready"], "the node is not ready")
            center.berth("cancel", str(small), token=token)
            center.try_berth("wait", str(small), token=token)
            center.down()
        finally:
            wait_until(lambda: subprocess.run(["umount", folder], capture_output=True).returncode == 0, 20, "umount")


def main():
    with Center("--nodes", "1", "--devices", "4", "--isolation", "allow") as center:
        bounds(center, center.add_tenant("acme", 4, 4))
    center = Center("--nodes", "1", "--devices", "4", "--isolation", "allow")
    try:
        reserve(center)
    finally:
        center.__exit__()
    finish()


if __name__ == "__main__":
    main()
