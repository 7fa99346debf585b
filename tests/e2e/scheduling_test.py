#!/usr/bin/env python3
"""Lending and recalling, arrays, dependencies, windows and elastic gangs, through the shipped programs."""

import json
import os
import re
import time

from center import CLASS, Center, expect, finish, shows, wait_until

NODES = 8
DEVICES = 8
GRACE = 3

# Notes the stop signal, goes on until it is killed or 1 s is over, then asks for another attempt by ending.
POLITE = r"""
trap 'echo "attempt $BERTH_ATTEMPT told to stop"; sleep 1; echo "attempt $BERTH_ATTEMPT saved"; exit 0' TERM
echo "attempt $BERTH_ATTEMPT runs on $NNODES nodes"
while :; do sleep 0.1; done
"""


def states(center, ids, token):
    return [center.job(job, token=token)["state"] for job in ids]


def await_reclaim(center, job, token):
    return wait_until(lambda: center.job(job, token=token)["reclaims"], 10, "a certificate of job %d" % job)[0]


def show_reclaim(center, owner, borrower):
    with shows("a borrower fills the center with borrowed gangs"):
        gangs = [center.submit("--nodes", "4", "--devices", str(DEVICES), "--grace", "%ds" % GRACE, "--", "bash", "-c",
                               POLITE, token=borrower) for _ in range(2)]
        for gang in gangs:
            center.await_state(gang, ["running"], 30, token=borrower)
            center.await_log(gang, r"attempt 0 runs on 4 nodes", 10, token=borrower)
            expect(center.job(gang, token=borrower)["funding"] == "borrowed", "not borrowed")

    with shows("an owned claim recalls one gang: notice, grace, the next attempt number; the owner starts within "
               "grace + 5 s"):
        since = time.monotonic()
        claim = center.submit("--nodes", "2", "--devices", str(DEVICES), "--", "sleep", "1000", token=owner)
        center.await_state(claim, ["running"], GRACE + 5, token=owner)
        took = time.monotonic() - since
        print("  the owner ran after %.1f s" % took)
        expect(center.job(claim, token=owner)["funding"] == "owned", "the claim is not owned")
        # The claim needs two of the four nodes: it may run before the last member is gone.
        victim = wait_until(lambda: next((gang for gang in gangs if center.job(
            gang, token=borrower)["state"] == "pending"), None), GRACE + 5, "a gang is queued again")
        kept = [gang for gang in gangs if gang != victim][0]
        expect(center.job(kept, token=borrower)["state"] == "running", "the other gang was stopped, too")
        log = center.berth("logs", str(victim), "--attempt", "0", token=borrower)
        expect("attempt 0 told to stop" in log and "attempt 0 saved" in log, log)

    with shows("`berth explain` shows the victim its certificate, and names no other tenant"):
        text = center.berth("explain", str(victim), token=borrower)
        expect("another tenant" in text and "16 " in text, text)
        expect("railco" not in text, text)
        reclaim = await_reclaim(center, victim, borrower)
        expect(reclaim["claim_job"] is None and reclaim["tenant"] == "another tenant", str(reclaim))
        chosen = [c for c in reclaim["candidates"] if c["chosen"]]
        expect([c["job"] for c in chosen] == [victim], str(chosen))
        expect(reclaim["used"] + reclaim["nodes"] * reclaim["devices_per_node"] <= reclaim["entitlement"], str(reclaim))
        mine = await_reclaim(center, claim, owner)
        expect(mine["claim_job"] == claim and mine["tenant"] == "railco", str(mine))

    with shows("the recalled gang runs again as attempt 1 when the devices come back"):
        center.berth("cancel", "--now", str(claim), token=owner)
        center.await_state(victim, ["running"], 30, token=borrower)
        center.await_log(victim, r"attempt 1 runs on 4 nodes", 10, token=borrower)
        rows = center.items("allocations", str(victim), token=borrower)
        expect({row["funding"] for row in rows} == {"borrowed"}, str(rows))
        center.berth("cancel", "--now", *map(str, gangs), token=borrower)
        for gang in gangs:
            center.await_state(gang, ["cancelled"], 30, token=borrower)


def spans(folder):
    """(begin, end) of every task that wrote both."""
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name)) as file:
            times = [float(line) for line in file.read().split()]
        if len(times) == 2:
            found[int(name)] = tuple(times)
    return found


def most_at_once(intervals):
    edges = sorted([(begin, 1) for begin, _ in intervals] + [(end, -1) for _, end in intervals],
                   key=lambda edge: (edge[0], edge[1]))
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def show_arrays(center, owner):
    def sweep(name, array, seconds):
        folder = center.path(name)
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        script = "date +%%s.%%N >> %s/$BERTH_ARRAY_INDEX; sleep %s; date +%%s.%%N >> %s/$BERTH_ARRAY_INDEX" % (
            folder, seconds, folder)
        job = center.submit("--array", array, "--", "bash", "-c", script, token=owner)
        return job, folder

    with shows("an array of 16 tasks runs each index once, and `berth ps` shows it in one line"):
        job, folder = sweep("sweep", "0-15", "0.5")
        wait_until(lambda: "%d." % job in center.berth("ps", "-a", token=owner), 10, "the array is listed")
        waited = center.try_berth("wait", str(job), token=owner)
        expect(waited.code == 0, str(waited))
        expect(sorted(spans(folder)) == list(range(16)), str(sorted(spans(folder))))
        expect(center.job(job, token=owner)["array"]["succeeded"] == 16, "not all succeeded")
        lines = [line for line in center.berth("ps", "-a", token=owner).splitlines() if line.split()[0].startswith(
            "%d." % job)]
        expect(len(lines) == 1, "\n".join(lines))

    with shows("a task is addressed by its index"):
        task = center.items("show", "%d.7" % job, token=owner)[0]
        expect(task["array_id"] == job and task["array_index"] == 7 and task["state"] == "succeeded", str(task))
        expect(center.try_berth("show", "%d.16" % job, token=owner).code == 3, "index 16 exists")

    with shows("%2 lets at most two tasks of an array run at once"):
        job, folder = sweep("throttled", "1-11:2%2", "0.4")
        waited = center.try_berth("wait", str(job), token=owner)
        expect(waited.code == 0, str(waited))
        found = spans(folder)
        expect(sorted(found) == [1, 3, 5, 7, 9, 11], str(sorted(found)))
        expect(most_at_once(list(found.values())) <= 2, "%d at once" % most_at_once(list(found.values())))

    with shows("a matrix has a task for each combination, whose values reach it as they were written"):
        folder = center.path("matrix")
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        write = "echo $BERTH_PARAM_LR $BERTH_PARAM_SEED > %s/$BERTH_ARRAY_INDEX" % folder
        script = center.path("matrix.sh")
        with open(script, "w") as file:
            file.write("#!/bin/sh\n#BERTH --matrix lr=1e-4,3e-4 --matrix seed=1..9 --array %%2\n%s\n" % write)
        job = center.submit(script, "--matrix", "seed=1..3", token=owner)
        waited = center.try_berth("wait", str(job), token=owner)
        expect(waited.code == 0, str(waited))
        found = {name: open(os.path.join(folder, name)).read().split() for name in os.listdir(folder)}
        expect(found == {str(i): [lr, seed] for i, (lr, seed) in enumerate(
            (lr, seed) for lr in ("1e-4", "3e-4") for seed in "123")}, str(found))
        expect("lr=1e-4,3e-4 seed=1..3" in center.berth("show", str(job), token=owner), "the matrix is not shown")
        expect(center.items("show", "%d.4" % job, token=owner)[0]["parameters"] == {"lr": "3e-4", "seed": "2"},
               "not the parameters of task 4")
        listed = center.berth("ps", "--tasks", "--all-states", token=owner)
        expect(re.search(r"^ *%d\.4 .* lr=3e-4 seed=2( |$)" % job, listed, re.M), listed)
        tasks = {task["array_index"]: task["parameters"]
                 for task in center.items("ps", "--tasks", "-a", token=owner) if task["array_id"] == job}
        expect(tasks[0] == {"lr": "1e-4", "seed": "1"} and len(tasks) == 6, str(tasks))
        beyond = center.try_berth("submit", "--matrix", "seed=1..3", "--array", "0-3", "--", "true", token=owner)
        expect(beyond.code == 2 and "3 combinations" in beyond.err, str(beyond))

    with shows("--max-fails cancels what has not started, and `berth retry --failed` runs the failed tasks again"):
        flag = center.path("repaired")
        job = center.submit("--array", "1,3,5-9%1", "--max-fails", "2", "--", "sh", "-c",
                            "test $BERTH_ARRAY_INDEX = 3 || test -e %s" % flag, token=owner)
        expect(center.try_berth("wait", str(job), token=owner).code == 1, "not the code of the first that failed")
        ended = center.job(job, token=owner)
        array = ended["array"]
        expect((array["succeeded"], array["failed"], array["cancelled"]) == (1, 2, 4), str(array))
        expect("--max-fails" in ended["end"]["message"], str(ended["end"]))
        open(flag, "w").close()
        again = int(center.berth("retry", str(job), "--failed", "--parsable", token=owner))
        expect(center.try_berth("wait", str(again), token=owner).code == 0, "it failed again")
        array = center.job(again, token=owner)["array"]
        expect((array["indexes"], array["succeeded"]) == ("1,5", 2), str(array))
        expect(center.try_berth("retry", str(again), "--failed", token=owner).code == 5, "a task has failed")
        whole = int(center.berth("retry", str(job), "--parsable", token=owner))
        expect(center.try_berth("wait", str(whole), token=owner).code == 0, "it failed again")
        expect(center.job(whole, token=owner)["array"]["indexes"] == "1,3,5-9", "not the same array")

    with shows("`berth cancel ARRAY.INDEXES` stops tasks that run and keeps others from starting, also over a restart"):
        job = center.submit("--array", "0-9%2", "--grace", "2s", "--", "sh", "-c",
                            "test $BERTH_ARRAY_INDEX -gt 1 || sleep 1000", token=owner)
        child = center.submit("--after", "ok:%d" % job, "--", "true", token=owner)
        wait_until(lambda: center.job(job, token=owner)["array"]["live"] == 2, 20, "two tasks are live")
        center.await_state(center.job("%d.1" % job, token=owner)["id"], ["running"], 20, token=owner)
        said = center.berth("cancel", "%d.7" % job, token=owner)
        expect(said == "job %d.7 cancelled before starting\n" % job, said)
        said = center.berth("cancel", "%d.[1,3-5,9]" % job, token=owner)
        expect(said == "tasks %d.1,3-5,9: 1 being stopped, 4 cancelled before starting\n" % job, said)
        beyond = center.try_berth("cancel", "%d.8-10" % job, token=owner)
        expect(beyond.code == 3 and "has no task 10" in beyond.err and "0-9" in beyond.err, str(beyond))
        center.kill("berthd")
        center.up()
        again = center.items("cancel", "%d.[1,3-7:2]" % job, token=owner)[0]["cancelled_tasks"]
        expect(again["before"] == 4 and again["waiting"] + again["stopping"] == 0, str(again))
        center.berth("cancel", "%d.0" % job, token=owner)
        expect(center.try_berth("wait", str(job), token=owner).code == 121, "not the code of a cancelled job")
        array = center.job(job, token=owner)["array"]
        expect((array["succeeded"], array["cancelled"], array["cancelled_unstarted"]) == (3, 7, "3-5,7,9"), str(array))
        expect(center.job(child, token=owner)["state"] == "dependency-failed", "its dependent ran")


def show_dependencies(center, owner):
    with shows("a chain of dependencies runs in its order, and what is impossible ends at once"):
        first = center.submit("--name", "first", "--hold", "--", "true", token=owner)
        second = center.submit("--after", "ok:%d" % first, "--", "sh", "-c", "exit 3", token=owner)
        third = center.submit("--after", "fail:last", "--", "true", token=owner)
        never = center.submit("--after", "ok:%d" % second, "--after", "ok:@first", "--", "true", token=owner)
        expect(states(center, [second, third, never], owner) == ["pending"] * 3, "something started too early")
        expect(center.job(second, token=owner)["reason"]["code"] == "B3603", str(center.job(second, token=owner)))
        center.berth("release", str(first), token=owner)
        waited = center.try_berth("wait", str(third), token=owner)
        expect(waited.code == 0, str(waited))
        ended = [center.job(job, token=owner) for job in (first, second, third)]
        expect([job["state"] for job in ended] == ["succeeded", "failed", "succeeded"], str(ended))
        expect(ended[0]["ended_at"] <= ended[1]["started_at"] and ended[1]["ended_at"] <= ended[2]["started_at"],
               "not in order")
        center.await_state(never, ["dependency-failed"], 5, token=owner)
        expect(center.try_berth("wait", str(never), token=owner).code == 120, "not 120")


def show_maintenance(center, owner):
    with shows("a maintenance window shows its effect, asks, and keeps jobs away that would overlap"):
        asked = center.try_berth("maintenance", "plan", "--nodes", "node-[1-2]", "--from", "+1h", "--for", "1h")
        expect(asked.code == 2 and "berth maintenance plan" in asked.err and "--yes" in asked.err, str(asked))
        nodes = sorted(node["name"] for node in center.items("nodes"))
        closed = nodes[:2]
        center.berth("maintenance", "plan", "--nodes", ",".join(closed), "--from", "+1h", "--for", "1h", "--yes")
        booked = center.items("maintenance", "list")
        expect([sorted(b["nodes"]) for b in booked] == [closed], str(booked))
        whole = center.submit("--nodes", str(NODES), "--devices", "1", "--time", "3h", "--", "sleep", "1000", token=owner)
        center.await_state(whole, ["pending"], 5, token=owner)
        reason = wait_until(lambda: (lambda r: r if r and r["code"] != "B3500" else None)(
            center.job(whole, token=owner)["reason"]), 10, "a reason")
        expect(reason["code"] == "B3401", str(reason))
        short = center.submit("--nodes", str(NODES), "--devices", "1", "--time", "30m", "--", "true", token=owner)
        waited = center.try_berth("wait", str(short), token=owner)
        expect(waited.code == 0, str(waited))

    with shows("a window that is called off opens its nodes"):
        center.berth("maintenance", "cancel", str(booked[0]["id"]), "--yes")
        center.await_state(whole, ["running"], 10, token=owner)
        center.berth("cancel", "--now", str(whole), token=owner)
        expect(center.items("maintenance", "list") == [], "it is still there")


def show_elastic(center, owner, borrower):
    with shows("an elastic gang gives nodes back to an owner, and goes on with the others as the same attempt"):
        # A gang takes what is free when it starts: all nodes, once what was before has left them.
        wait_until(lambda: all(node["devices_free"] == DEVICES and node["state"] == "ready"
                               for node in center.items("nodes")), 20, "every node is free")
        # A member that is given back ends; the others do not notice.
        job = center.submit("--nodes", str(NODES), "--min-nodes", "2", "--devices", str(DEVICES), "--grace",
                            "%ds" % GRACE, "--", "sleep", "1000", token=borrower)
        center.await_state(job, ["running"], 30, token=borrower)
        expect(len(center.job(job, token=borrower)["nodes"]) == NODES, "it did not take all nodes")
        claim = center.submit("--nodes", "4", "--devices", str(DEVICES), "--", "sleep", "1000", token=owner)
        center.await_state(claim, ["running"], GRACE + 5, token=owner)
        shrunk = center.job(job, token=borrower)
        held = [a for a in shrunk["allocations"] if a["end"] is None]
        expect(shrunk["state"] == "running" and shrunk["attempt"] == 0, str(shrunk["state"]))
        expect(len(held) == NODES - 4, "%d nodes are held" % len(held))
        reclaim = await_reclaim(center, job, borrower)
        expect([c["shrink"] for c in reclaim["candidates"] if c["chosen"]] == [True], str(reclaim))
        center.berth("cancel", "--now", str(claim), token=owner)
        center.berth("cancel", "--now", str(job), token=borrower)
        center.await_state(job, ["cancelled"], 30, token=borrower)


def show_edits(center, owner):
    with shows("a dated quota edit is shown before it takes effect, and takes effect"):
        center.berth("quota", "set", "borrower", "--class", CLASS, "--limit", "48", "--from", "+3s")
        rows = center.items("quota", "borrower")
        expect(rows[0]["limit"] == 64 and rows[0]["edits"][0]["limit"] == 48, json.dumps(rows))
        wait_until(lambda: center.items("quota", "borrower")[0]["limit"] == 48, 10, "the edit took effect")
        expect(center.items("quota", "borrower")[0]["edits"] == [], "it is still to come")

    with shows("a waiting job is changed, and a plan says what would happen"):
        job = center.submit("--hold", "--nodes", "4", "--", "true", token=owner)
        center.berth("update", str(job), "--nodes", "2", "--time", "1h", "--priority", "7", token=owner)
        changed = center.job(job, token=owner)
        expect((changed["gang"]["nodes"], changed["time_limit_seconds"], changed["priority"]) == (2, 3600, 7),
               str(changed))
        center.berth("release", str(job), token=owner)
        waited = center.try_berth("wait", str(job), token=owner)
        expect(waited.code == 0, str(waited))
        now = center.try_berth("submit", "--plan", "--project", "research", "--", "true", token=owner)
        expect(now.code == 0, str(now))
        plan = center.try_berth("submit", "--plan", "-o", "json", "--array", "0-9", "--nodes", "2", "--devices", "4",
                                "--time", "90m", "--", "true", token=owner)
        expect(json.loads(plan.out)["items"][0]["device_hours_most"] == 10 * 2 * 4 * 1.5, str(plan))
        never = center.try_berth("submit", "--plan", "--project", "research", "--nodes", "9", "--devices",
                                 str(DEVICES), "--", "true", token=owner)
        expect(never.code == 6, str(never))


def show_suspension(center):
    late = center.add_tenant("late", 0, 64)
    with shows("a suspended tenant submits nothing, what it has queued does not start, and what runs goes on"):
        running = center.submit("--", "sleep", "1000", token=late)
        center.await_state(running, ["running"], 20, token=late)
        waiting = center.submit("--begin", "+2s", "--", "true", token=late)
        said = center.berth("tenant", "suspend", "late")
        expect("running jobs that go on: 1" in said and "pending jobs that do not start: 1" in said, said)
        refused = center.try_berth("submit", "--", "true", token=late)
        expect(refused.code != 0 and "B2201" in refused.err, str(refused))
        wait_until(lambda: center.job(waiting, token=late)["reason"]["code"] == "B2201", 10, "it waits for that")
        expect("suspended" in center.berth("explain", str(waiting), token=late), "not explained")
        expect(center.job(running, token=late)["state"] == "running", "it was stopped")
        expect(center.try_berth("tenant", "resume", "late", token=late).code != 0, "a member ended it")
        center.berth("tenant", "resume", "late")
        center.await_state(waiting, ["succeeded"], 20, token=late)
        center.berth("cancel", "--now", str(running), token=late)


def show_shares(center):
    sharer = center.add_tenant("sharer", 0, 1)
    with shows("two shares of one device run side by side and count as one device; a third that does not fit waits"):
        jobs = [center.submit("--device-share", "0.4", "--", "sleep", "1000", token=sharer) for _ in range(3)]
        for job in jobs[:2]:
            center.await_state(job, ["running"], 20, token=sharer)
        held = [center.job(job, token=sharer)["devices"][0] for job in jobs[:2]]
        expect(held[0]["uuid"] == held[1]["uuid"], str(held))
        expect(center.job(jobs[2], token=sharer)["reason"]["code"] == "B2101", str(center.job(jobs[2], token=sharer)))
        for job in jobs:
            center.berth("cancel", "--now", str(job), token=sharer)


def show_topology(center, owner):
    """Of racks of four nodes, and nodes whose agents name no block."""
    def submit(nodes, level, *options):
        return center.try_berth("submit", "--project", "research", "--nodes", str(nodes), "--topology", level, *options,
                                "--", "true", token=owner)

    with shows("a gang that no rack or block could ever hold is refused with the bound, planned or not: exit 6"):
        jobs = len(center.items("ps", "-a", token=owner))
        for nodes, level, most in ((5, "rack", "4 such nodes"), (2, "block", "1 such node")):
            for options in ([], ["--plan"]):
                never = submit(nodes, "same-%s:require" % level, *options)
                expect(never.code == 6 and "B3303" in never.err, str(never))
                expect("no %s has more than %s" % (level, most) in never.err, str(never))
        expect(len(center.items("ps", "-a", token=owner)) == jobs, "a refused gang was queued")
    with shows("one that only prefers a rack, or fits one, runs"):
        for done in (submit(5, "same-rack", "--wait"), submit(4, "same-rack:require", "--wait")):
            expect(done.code == 0, str(done))
    with shows("an update to what no rack could ever hold is refused, too"):
        waiting = center.submit("--hold", "--nodes", "4", "--topology", "same-rack:require", "--", "true", token=owner)
        refused = center.try_berth("update", str(waiting), "--nodes", "5", token=owner)
        expect(refused.code == 6 and "B3303" in refused.err, str(refused))
        center.berth("cancel", "--now", str(waiting), token=owner)


def main():
    with Center("--nodes", str(NODES), "--devices", str(DEVICES)) as center:
        owner = center.add_tenant("railco", 64, 64)
        borrower = center.add_tenant("borrower", 0, 64)
        show_reclaim(center, owner, borrower)
        show_arrays(center, owner)
        show_dependencies(center, owner)
        show_maintenance(center, owner)
        show_elastic(center, owner, borrower)
        show_edits(center, owner)
        show_topology(center, owner)
        show_suspension(center)
        show_shares(center)
    finish()


if __name__ == "__main__":
    main()
