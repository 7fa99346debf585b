#!/usr/bin/env python3
"""Two tenants train at the same time; quotas hold; the allocations are in the database."""

import re
import sqlite3

from center import CLASS, Center, expect, expect_falling, finish, shows


def check_rows(rows, job, tenant):
    """`rows`: (node, device_index, from_us, to_us, tenant) of one job."""
    expect(len(rows) == 8, "job %d has %d device rows" % (job, len(rows)))
    expect(len({row[0] for row in rows}) == 2, "job %d was not on two nodes" % job)
    expect(len({row[:2] for row in rows}) == 8, "job %d has a device twice" % job)
    for _, _, begin, end, owner in rows:
        expect(owner == tenant, "job %d is recorded for %s" % (job, owner))
        expect(begin and end and begin < end, "job %d: from %s to %s" % (job, begin, end))


def main():
    with Center("--nodes", "4", "--devices", "8") as center:
        users = {name: center.add_tenant(name, 8, 8) for name in ("acme", "globex")}
        jobs = {name: center.submit_training(token, arguments=["--seconds-per-epoch", "0.1"])
                for name, token in users.items()}
        acme = users["acme"]

        with shows("two tenants train at the same time, each on 2 nodes with 4 devices each"):
            for name, job in jobs.items():
                seen = center.await_state(job, ["running"], 20, token=users[name])
                expect(len(seen["nodes"]) == 2 and len(seen["devices"]) == 8, str(seen))
                expect(seen["tenant"] == name and seen["funding"] == "owned", str(seen))

        with shows("a job beyond the tenant's limit waits, and its reason carries the numbers"):
            extra = center.submit("--devices", "1", "--", "true", token=acme)
            job = center.await_state(extra, ["pending"], 5, token=acme)
            reason = job["reason"]
            expect(reason and re.match(r"B\d{4}$", reason["code"]), str(job))
            expect("8" in re.findall(r"\d+", reason["message"]), "no numbers in: %s" % reason["message"])

        with shows("a job that can never run is refused at submit with exit 6 and the bound"):
            refused = center.try_berth("submit", "--project", "research", "--nodes", "2", "--devices", "8",
                                       "--", "true", token=acme)
            expect(refused.code == 6, str(refused))
            expect({"16", "8"} <= set(re.findall(r"\d+", refused.err)), str(refused))
            expect(refused.err.startswith("error[B2"), str(refused))

        with shows("the quota says who uses what"):
            rows = {row["tenant"]: row for row in center.items("quota")
                    if row["class"] == CLASS and not row["project"]}
            for name in users:
                row = rows[name]
                expect((row["entitlement"], row["limit"]) == (8, 8), str(row))
                expect(row["used"] == row["owned"] == 8 and row["borrowed"] == 0, str(row))

        with shows("both trainings end succeeded with a falling loss"):
            for name, job in jobs.items():
                waited = center.try_berth("wait", str(job), token=users[name])
                expect(waited.code == 0, str(waited))
                ended = center.job(job, token=users[name])
                expect(ended["state"] == "succeeded" and ended["attempt"] == 0, str(ended))
                expect_falling(center.berth("logs", str(job), token=users[name]))

        with shows("every rank has a log of its own"):
            for rank in range(8):
                log = center.berth("logs", str(jobs["acme"]), "--rank", str(rank), token=acme)
                expect(("rank %d of 8 is up" % rank) in log, log)

        with shows("the job that waited for the limit ran afterwards"):
            waited = center.try_berth("wait", str(extra), token=acme)
            expect(waited.code == 0, str(waited))

        with shows("the database holds every allocation: tenant, devices, start and end"):
            center.down()
            database = sqlite3.connect("file:%s?mode=ro" % center.path("data", "berth.db"), uri=True)
            for name, job in jobs.items():
                check_rows(database.execute(
                    "SELECT d.node_id, d.device_index, d.from_us, d.to_us, t.name FROM allocations a "
                    "JOIN allocation_devices d ON d.allocation_id = a.id JOIN tenants t ON t.id = d.tenant_id "
                    "WHERE a.job_id = ?", (job,)).fetchall(), job, name)
            overlaps = database.execute(
                "SELECT count(*) FROM allocation_devices a JOIN allocation_devices b "
                "ON a.node_id = b.node_id AND a.device_index = b.device_index "
                "AND a.allocation_id < b.allocation_id AND a.from_us < b.to_us AND b.from_us < a.to_us").fetchone()
            expect(overlaps[0] == 0, "%d intervals of device time overlap" % overlaps[0])
            database.close()
    finish()


if __name__ == "__main__":
    main()
