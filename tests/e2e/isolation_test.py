#!/usr/bin/env python3
"""A tenant neither sees nor touches what is another's; roles are kept."""

import re

from center import CLASS, Center, expect, finish, shows


def expect_code(result, code):
    expect(result.code == code, "expected exit %d: %s" % (code, result))
    expect(result.err.startswith("error[B"), "no error in three parts: %s" % result)


def main():
    with Center("--nodes", "1", "--devices", "8") as center:
        acme = center.add_tenant("acme", 4, 8)
        globex = center.add_tenant("globex", 4, 8)
        job = center.submit("--name", "secret-plan", "--env", "KEY=hunter2", "--", "sh", "-c",
                            "echo classified; sleep 300", token=acme)
        center.await_log(job, "classified", 20, token=acme)

        with shows("another tenant's job cannot be shown, logged, waited for, held or cancelled: NOT_FOUND, exit 3"):
            for verb in (["show"], ["logs"], ["wait"], ["cancel"], ["hold"], ["release"], ["allocations"]):
                expect_code(center.try_berth(*verb, str(job), token=globex), 3)
            expect(center.job(job, token=acme)["state"] == "running", "it was touched")

        with shows("another tenant's job looks exactly like one that does not exist"):
            for verb in ("show", "logs", "cancel"):
                foreign = center.try_berth(verb, str(job), token=globex)
                missing = center.try_berth(verb, "999999", token=globex)
                expect(foreign.code == missing.code, "%s / %s" % (foreign, missing))
                expect(re.sub(r"job \d+", "job N", foreign.err) == re.sub(r"job \d+", "job N", missing.err),
                       "%s / %s" % (foreign, missing))

        with shows("lists hold the own tenant's rows only"):
            for arguments in (["ps", "-a"], ["ps", "-a", "-A"]):
                expect(center.items(*arguments, token=globex) == [], "globex sees jobs with %s" % arguments)
            rows = center.items("quota", token=globex)
            expect(rows and all(row["tenant"] == "globex" for row in rows), str(rows))
            everything = center.berth("nodes", "-o", "json", token=globex)
            expect("acme" not in everything and "secret-plan" not in everything, everything)

        with shows("a member sets no quota: exit 4 for the own tenant, another one is not found"):
            for tenant, code in (("globex", 4), ("acme", 3)):
                result = center.try_berth("quota", "set", tenant, "--class", CLASS, "--entitlement", "8",
                                          "--limit", "8", token=globex)
                expect_code(result, code)
            rows = {row["tenant"]: row["entitlement"] for row in center.items("quota")
                    if row["class"] == CLASS and not row["project"]}
            expect(rows == {"acme": 4, "globex": 4}, str(rows))

        with shows("a member adds no tenant, user or node token and drains no node: exit 4"):
            for arguments in (["tenant", "add", "mine"], ["user", "add", "friend"],
                              ["token", "create", "--node", "node-9"], ["node", "drain", "node-1"]):
                expect_code(center.try_berth(*arguments, token=globex), 4)

        with shows("an operator drains a node; a second drain without a reason keeps that of the first"):
            center.berth("node", "drain", "node-1", "--reason", "fan")
            center.berth("node", "drain", "node-1")
            nodes = {node["name"]: node["state_detail"] for node in center.items("nodes")}
            expect(nodes["node-1"] == "fan", str(nodes))
            center.berth("node", "undrain", "node-1")

        with shows("a job is not submitted into another tenant or its project"):
            result = center.try_berth("submit", "--tenant", "acme", "--project", "research", "--", "true",
                                      token=globex)
            expect(result.code in (3, 4), str(result))

        with shows("no token, a made-up one, a changed one and a revoked one are refused: exit 4"):
            with open(globex) as file:
                good = file.read().strip()
            changed = good[:-12] + ("A" if good[-12] != "A" else "B") + good[-11:]
            for text in ("", "brth_nobody_nothing_00000000", changed):
                environment = center.environment()
                del environment["BERTH_TOKEN_FILE"]
                if text:
                    environment["BERTH_TOKEN"] = text
                expect(center.try_berth("ps", env=environment).code == 4, "accepted: %r" % text)
            center.berth("token", "revoke", good.split("_")[1])
            expect_code(center.try_berth("ps", token=globex), 4)

        with shows("an agent's token is no user's"):
            expect_code(center.try_berth("ps", token=center.path("agent-1.token")), 4)
    finish()


if __name__ == "__main__":
    main()
