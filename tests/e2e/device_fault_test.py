#!/usr/bin/env python3
"""A device that fails ends what runs on it as the node's fault, and is not given out again."""

from center import Center, expect, finish, shows, wait_until


def happen(center, node, line):
    with open(center.path("agent-%s.faults" % node.rsplit("-", 1)[1]), "a") as file:
        file.write(line + "\n")


def health(center, node):
    for row in center.items("nodes"):
        if row["name"] == node:
            return row["state"], row.get("devices_free")
    raise AssertionError("no node " + node)


def device_of(center, job):
    return center.items("allocations", str(job))[0]["devices"][0]


def main():
    with Center("--nodes", "2", "--devices", "2") as center:
        token = center.add_tenant("acme", 4, 4)

        with shows("an Xid that means a lost device ends the attempt as node-fault, and the job runs again elsewhere"):
            job = center.submit("--devices", "1", "--requeue", "node-fault", "--", "sh", "-c",
                                "echo attempt $BERTH_ATTEMPT on $CUDA_VISIBLE_DEVICES; sleep 300", token=token)
            center.await_log(job, "attempt 0 on [01]", 20, token=token)
            first = center.job(job, token=token)["nodes"][0]
            log = center.berth("logs", str(job), token=token)
            index = log.split(" on ")[1].strip()
            happen(center, first, "xid 79 on device " + index)
            center.await_log(job, "attempt 1", 30, token=token)
            second = center.job(job, token=token)["nodes"][0]
            where = center.berth("logs", str(job), token=token).split(" on ")[1].strip()
            expect((first, index) != (second, where), "the job is on the same device again")
            with open(center.path("agent-%s.log" % first.rsplit("-", 1)[1])) as file:
                text = file.read()
            expect("Xid 79: the device has fallen off the bus" in text, text[-2000:])
            center.berth("cancel", "--now", str(job), token=token)

        with shows("the bad device is given to nobody, also after a restart of its agent"):
            agent = "agent-" + first.rsplit("-", 1)[1]
            center.kill(agent)
            center.up()
            job = center.submit("--nodes", "2", "--devices", "2", "--", "true", token=token)
            waits = wait_until(lambda: (center.job(job, token=token)["reason"] or {}).get("message"), 10, "a reason to wait")
            expect("1 nodes are" in waits and center.job(job, token=token)["state"] == "pending", waits)
            single = center.submit("--nodes", "2", "--devices", "1", "--", "true", token=token)
            center.await_state(single, ["succeeded"], 20, token=token)
            happen(center, first, "clear device " + index)
            center.await_state(job, ["succeeded"], 30, token=token)

        with shows("a program's own Xid ends nothing"):
            job = center.submit("--devices", "1", "--", "sh", "-c", "echo ready; sleep 3", token=token)
            center.await_log(job, "ready", 20, token=token)
            node = center.job(job, token=token)["nodes"][0]
            for index in (0, 1):
                happen(center, node, "xid 31 on device %d" % index)
            center.await_state(job, ["succeeded"], 20, token=token)

        with shows("without a requeue the job fails with the reason node-fault and the device's name"):
            job = center.submit("--devices", "2", "--nodes", "1", "--requeue", "preempt", "--", "sh", "-c",
                                "echo ready; sleep 300", token=token)
            center.await_log(job, "ready", 20, token=token)
            node = center.job(job, token=token)["nodes"][0]
            happen(center, node, "uncorrected ecc on device 1")
            ended = center.await_state(job, ["failed"], 30, token=token)
            expect(ended["end"]["reason"] == "node-fault" and "uncorrected memory errors" in ended["end"]["message"],
                   str(ended["end"]))
            happen(center, node, "clear device 1")

        with shows("a device that a stranger's process uses is handed on when it is gone"):
            for number in ("1", "2"):
                for index in (0, 1):
                    happen(center, "node-" + number, "process 4711 on device %d" % index)
            job = center.submit("--devices", "1", "--", "echo", "clean", token=token)
            center.await_state(job, ["dispatching", "starting"], 10, token=token)
            for number in ("1", "2"):
                for index in (0, 1):
                    happen(center, "node-" + number, "no process on device %d" % index)
            center.await_state(job, ["succeeded"], 20, token=token)
    finish()


if __name__ == "__main__":
    main()
