#!/usr/bin/env python3
"""What devices are busy with, from the agents to `berth top` and `berth show`, and who sees it."""

import re

from center import CLASS, Center, expect, finish, shows, wait_until


def tell(center, node, lines):
    """What the devices of a node are busy with from now on."""
    with open(center.path("agent-%s.samples" % node.rsplit("-", 1)[1]), "w") as file:
        file.write("".join(line + "\n" for line in lines))


def line_of(picture, word):
    return next((line for line in picture.splitlines() if re.match(r" *%s " % word, line)), "")


def main():
    with Center("--nodes", "2", "--devices", "2") as center:
        token = center.add_tenant("acme", 4, 4)
        stranger = center.add_tenant("rival", 0, 1)
        job = center.submit("--nodes", "2", "--devices", "1", "--", "sleep", "300", token=token)
        center.await_state(job, ["running"], 20, token=token)
        rows = {row["node"]: row["devices"][0]["index"] for row in center.items("allocations", str(job), token=token)}
        top = lambda word, who=token: center.berth("top", str(word), "--once", token=who)

        with shows("without a reading utilization is not known, which is not 0"):
            expect(re.search(r"node-1 .* - .* - .* - +ok ", top(job)), top(job))
            expect(center.job(job, token=token)["utilization_percent"] is None, "it is known")
            expect("utilization" not in center.berth("show", str(job), token=token), "it is shown")

        with shows("a job's devices with what they are busy with, their memory and power, and the slowest node"):
            tell(center, "node-1", ["device %d utilization 93 memory 20480 power 410" % rows["node-1"],
                                    "device %d utilization 7" % (1 - rows["node-1"])])
            tell(center, "node-2", ["device %d utilization 41 memory 61440 power 2100" % rows["node-2"]])
            wait_until(lambda: "slowest" in top(job), 30, "the slowest node is marked", pause=0.5)
            picture = top(job)
            expect(re.search(r" 93 .* 93 % +25 % +410 W +ok ", line_of(picture, "node-1")), picture)
            expect(re.search(r" 41 .* 41 % +75 % +2.1 kW +ok +← -55 % \(slowest\)", line_of(picture, "node-2")), picture)
            expect("utilization 67 %" in picture, picture)
            expect(center.job(job, token=token)["utilization_percent"] == 67, "another mean")
            expect(re.search(r"utilization +67 %", center.berth("show", str(job), token=token)), "not shown")

        with shows("a node's devices: operators see all, members those of their own jobs"):
            mine, other = rows["node-1"], 1 - rows["node-1"]
            picture = top("node-1", None)
            expect(re.search(r" %s +93 %% +20 GiB of 80 GiB +410 W +ok" % job, line_of(picture, mine)), picture)
            expect(re.search(r" - +7 %", line_of(picture, other)), picture)
            picture = top("node-1")
            expect(" 93 %" in line_of(picture, mine) and " 7 %" not in picture, picture)
            picture = top("node-1", stranger)
            expect("another tenant" in line_of(picture, mine) and "93 %" not in picture and str(job) not in line_of(picture, mine).split(), picture)

        with shows("a tenant's classes and running jobs with their mean; nobody else's"):
            for who in (token, None):
                picture = top("acme", who)
                expect("jobs 1 running on 2 devices, 0 waiting" in picture and CLASS in picture, picture)
                expect(re.search(r"running +2 +67 %", line_of(picture, str(job))), picture)
            expect(center.try_berth("top", "acme", token=stranger).code == 3, "the tenant is seen")
            expect(center.try_berth("top", str(job), token=stranger).code == 3, "the job is seen")

        with shows("a name that is none, or a tenant and a node at once, is said to be so"):
            result = center.try_berth("top", "nonsense", token=token)
            expect(result.code == 3 and "B1311" in result.err, str(result))
            center.berth("tenant", "add", "node-2")
            result = center.try_berth("top", "node-2")
            expect(result.code == 2 and "node:node-2" in result.err, str(result))
            expect("2 devices" in center.berth("top", "node:node-2"), "no node")
            expect("0 running" in center.berth("top", "tenant:node-2"), "no tenant")

        with shows("what an agent does not tell any more is not known any more"):
            center.kill("agent-2")
            wait_until(lambda: "slowest" not in top(job), 40, "the reading is forgotten", pause=1)
            expect(re.search(r"node-2 .* - ", top(job)) and " 93 %" in top(job), top(job))
            center.up()
    finish()


if __name__ == "__main__":
    main()
