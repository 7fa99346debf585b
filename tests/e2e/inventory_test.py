#!/usr/bin/env python3
"""Devices that are divided, put together or gone are told by the agent that runs, and given out as they are now."""

from center import CLASS, Center, expect, finish, shows, wait_until

HALF = CLASS + "-mig-3g.40gb"


def change(center, node, *lines):
    """What became of the node's simulated devices since it was set up."""
    with open(center.path("agent-%d.devices" % node), "w") as file:
        file.write("".join(line + "\n" for line in lines))


def node(center, number):
    return next(row for row in center.items("nodes") if row["name"] == "node-%d" % number)


def classes(center, number):
    return node(center, number)["classes"]


def main():
    with Center("--nodes", "2", "--devices", "2") as center:
        token = center.add_tenant("acme", 4, 4)
        center.berth("quota", "set", "acme", "--class", HALF, "--entitlement", "2", "--limit", "2", "--allow-oversell")
        agents = [center.pid("agent-1"), center.pid("agent-2")]

        with shows("a drained node's device is divided and offered by its parts, without a restart of the agent"):
            center.berth("node", "drain", "node-1", "--reason", "halves")
            change(center, 1, "divide device 0 into 2 " + HALF)
            wait_until(lambda: classes(center, 1) == {CLASS: 1, HALF: 2}, 20, "the halves are told")
            center.berth("node", "undrain", "node-1")
            job = center.submit("--class", HALF, "--devices", "2", "--", "sh", "-c", "echo on $CUDA_VISIBLE_DEVICES",
                                token=token)
            center.await_state(job, ["succeeded"], 20, token=token)
            expect("on 100,101" in center.berth("logs", str(job), token=token), "other devices")
            whole = center.submit("--class", CLASS, "--nodes", "2", "--devices", "1", "--", "true", token=token)
            center.await_state(whole, ["succeeded"], 20, token=token)

        with shows("parts that nothing runs on are put together again, without a drain"):
            change(center, 1)
            wait_until(lambda: classes(center, 1) == {CLASS: 2}, 20, "the whole device is back")
            expect(node(center, 1)["state"] == "ready", str(node(center, 1)))
            job = center.submit("--nodes", "2", "--devices", "2", "--", "true", token=token)
            center.await_state(job, ["succeeded"], 20, token=token)

        with shows("a start for a device that is divided meanwhile is refused, and the job runs elsewhere without blame"):
            for number in (1, 2):
                with open(center.path("agent-%d.faults" % number), "a") as file:
                    file.write("process 4711 on device 0\nprocess 4711 on device 1\n")
            job = center.submit("--devices", "1", "--requeue", "preempt", "--", "true", token=token)
            first = center.await_state(job, ["starting"], 10, token=token)["nodes"][0]
            number = int(first.rsplit("-", 1)[1])
            index = center.items("allocations", str(job))[0]["devices"][0]["index"]
            change(center, number, "divide device %d into 2 %s" % (index, HALF))
            refusal = "(SIM-%s-%d) is not on the node any more" % (first, index)
            wait_until(lambda: refusal in str(center.job(job, token=token)), 8, "a refusal")
            for number in (1, 2):
                with open(center.path("agent-%d.faults" % number), "a") as file:
                    file.write("no process on device 0\nno process on device 1\n")
            ended = center.await_state(job, ["succeeded"], 20, token=token)
            expect(ended["attempt"] == 1, str(ended))

        with shows("a device that vanishes from under a job is a fault of the node's, and the node is not trusted"):
            job = center.submit("--devices", "1", "--requeue", "node-fault", "--", "sh", "-c",
                                "echo attempt $BERTH_ATTEMPT; sleep 300", token=token)
            center.await_log(job, "attempt 0", 20, token=token)
            first = center.job(job, token=token)["nodes"][0]
            number = int(first.rsplit("-", 1)[1])
            index = center.items("allocations", str(job))[0]["devices"][0]["index"]
            change(center, number, "remove device %d" % index)
            center.await_log(job, "attempt 1", 30, token=token)
            wait_until(lambda: node(center, number)["state"] == "quarantined", 20, "a quarantine")
            expect("is gone" in node(center, number)["state_detail"], str(node(center, number)))
            ends = [row["end"]["reason"] for row in center.items("explain", str(job), token=token)[0]["attempts"]]
            expect(ends[0] == "node-fault", str(ends))
            center.berth("cancel", "--now", str(job), token=token)

        with shows("no agent was started again for any of it"):
            expect(agents == [center.pid("agent-1"), center.pid("agent-2")], "other agents")

        with shows("parts of a device are not given out beside a task that the next agent finds on it"):
            job = center.submit("--devices", "1", "--", "sleep", "300", token=token)
            name = center.await_state(job, ["running"], 20, token=token)["nodes"][0]
            number = int(name.rsplit("-", 1)[1])
            index = center.items("allocations", str(job))[0]["devices"][0]["index"]
            center.kill("agent-%d" % number)
            change(center, number, "divide device %d into 2 %s" % (index, HALF))
            center.start_agent("agent-%d" % number)
            wait_until(lambda: node(center, number)["state"] == "quarantined", 20, "a quarantine")
            expect("job %d has it" % job in node(center, number)["state_detail"], str(node(center, number)))
            expect(center.job(job, token=token)["state"] == "running", "the task did not go on")
            center.berth("cancel", "--now", str(job), token=token)
            center.await_state(job, ["cancelled"], 20, token=token)
            center.berth("node", "undrain", name)
            halves = center.submit("--class", HALF, "--devices", "2", "--", "true", token=token)
            center.await_state(halves, ["succeeded"], 20, token=token)
    finish()


if __name__ == "__main__":
    main()
