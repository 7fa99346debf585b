#!/usr/bin/env python3
"""The benchmarks that start a center: with tiny numbers each measures everything that it is there for."""

import os
import re
import subprocess
import tempfile

from center import BIN, expect, finish, shows


def bench(folder, *arguments):
    done = subprocess.run([os.path.join(BIN, "berth-bench"), "--data-in", folder, *arguments], capture_output=True, text=True,
                          timeout=120)
    expect(done.returncode == 0, "exit %d: %s%s" % (done.returncode, done.stdout[-1500:], done.stderr[-1500:]))
    return done.stdout


def expect_figures(out, patterns):
    """Each pattern has one group, a number that cannot be 0."""
    for pattern in patterns:
        found = re.search(pattern, out)
        expect(found and float(found.group(1)) > 0, "no %r in:\n%s" % (pattern, out))


def main():
    with tempfile.TemporaryDirectory(prefix="berth-e2e-") as folder:
        with shows("berth-bench agent measures launches, tasks per second and the log path"):
            out = bench(folder, "agent", "--launches", "3", "--tasks", "20", "--at-once", "4", "--log-mb", "2")
            expect_figures(out, [r"submitted, started, ended (\d+) /s", r"in one array[^?]*processor time +([0-9.]+) ms a task",
                                 r"the task writes it +(\d+) MB/s", r"berth logs afterwards +(\d+) MB/s",
                                 r"berth logs --follow +(\d+) MB/s"])
            # Only root may ask the kernel for the times.
            expect(re.search(r"fork to exec +(p50 [0-9.]+ ms|not measured: )", out), out)
        with shows("berth-bench api measures submissions and starts"):
            out = bench(folder, "api", "--sequential", "20", "--parallel", "100", "--bulk", "1000", "--processes", "2", "--runs", "3")
            expect_figures(out, [r"one at a time +(\d+) /s", r"outstanding +(\d+) /s", r"bulk of 1,000 +(\d+) /s",
                                 r"submit to running +p50 ([0-9.]+) ms"])
        with shows("both leave their folder empty"):
            expect(os.listdir(folder) == [], str(os.listdir(folder)))
    finish()


if __name__ == "__main__":
    main()
