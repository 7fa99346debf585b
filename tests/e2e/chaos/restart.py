#!/usr/bin/env python3
"""How soon a killed scheduler answers again, with many pending jobs in its database.

    tests/e2e/chaos/restart.py --jobs 100000

Prints the time from the start of the process to the first answer, to the first page of the list and to the whole of it,
and the processor time that the scheduler had used by then. The jobs are copies of one that was submitted, written into the stopped
scheduler's database.
"""

import argparse
import os
import sqlite3
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from center import expect, wait_until  # noqa: E402
from daemons import ChaosCenter  # noqa: E402


def copy_jobs(path, job, count):
    """Consecutive ids behind the job's; every copy has a submission of its own."""
    database = sqlite3.connect(path)
    for table, key, changed in (("jobs", "id", {"id": "n.id"}),
                                ("submissions", "job_id", {"job_id": "n.id", "idempotency_key": "'copy-' || n.id"})):
        columns = [row[1] for row in database.execute("PRAGMA table_info(%s)" % table)]
        database.execute(
            "WITH RECURSIVE n(id) AS (SELECT %d UNION ALL SELECT id + 1 FROM n WHERE id < %d) "
            "INSERT INTO %s (%s) SELECT %s FROM %s t, n WHERE t.%s = %d" % (
                job + 1, job + count, table, ", ".join(columns), ", ".join(changed.get(c, "t." + c) for c in columns), table,
                key, job))
    database.commit()
    database.close()


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def first_success(center, token, *words):
    while center.try_berth(*words, token=token).code != 0:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100000, metavar="N")
    count = parser.parse_args().jobs
    with ChaosCenter("--nodes", "1", "--devices", "8") as center:
        token = center.add_tenant("acme", 8, 8)
        center.settle_address()
        blocker = center.submit("--nodes", "1", "--devices", "8", "--", "sleep", "3600", token=token)
        center.await_state(blocker, ["running"], 20, token=token)
        pending = center.submit("--nodes", "1", "--devices", "8", "--", "true", token=token)
        center.kill("berthd")
        copy_jobs(center.path("data", "berth.db"), pending, count - 1)
        began = time.monotonic()
        center.start_scheduler()
        pid, serving = center.pid("berthd"), time.monotonic() - began
        first_success(center, token, "ps", "--limit", "1")
        first, used = time.monotonic() - began, cpu_seconds(pid)
        listing = time.monotonic()
        out = center.berth("ps", "--limit", str(count + 10), "-o", "name", token=token)
        listed = time.monotonic() - listing
        expect(len(out.split()) >= count, "only %d jobs are listed" % len(out.split()))
        print("%d pending jobs: port open after %.2f s, first answer after %.2f s (%.2f s of processor time), all listed in "
              "%.2f s more" % (count, serving, first, used, listed))
        wait_until(lambda: center.job(blocker, token=token)["state"] == "running", 20, "the running job goes on")


if __name__ == "__main__":
    main()
