#!/usr/bin/env python3
"""Jobs outlive their agent and the scheduler; what was acknowledged is never lost."""

import collections
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal

from center import Center, expect, expect_falling, finish, losses, shows, wait_until

PACE = ["--epochs", "30", "--seconds-per-epoch", "0.2"]


def expect_unbroken(center, job, token):
    """Succeeded in its first attempt, every epoch once."""
    waited = center.try_berth("wait", str(job), token=token)
    expect(waited.code == 0, str(waited))
    ended = center.job(job, token=token)
    expect(ended["state"] == "succeeded" and ended["attempt"] == 0, str(ended))
    log = center.berth("logs", str(job), token=token)
    epochs = [int(epoch) for epoch in re.findall(r"^epoch +(\d+)/", log, re.M)]
    expect(epochs == list(range(1, 31)), "epochs in the log: %s" % epochs)
    expect_falling(log)


def agent_of(center, job, token):
    return "agent-" + center.job(job, token=token)["nodes"][0].rsplit("-", 1)[1]


def zero(path):
    """As some file systems leave a file that was not forced to the disk."""
    size = os.path.getsize(path)
    with open(path, "wb") as file:
        file.write(b"\0" * size)


def task_pids(center, job):
    """The training's processes on this machine."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                variables = file.read().split(b"\0")
        except OSError:
            continue
        output = [v for v in variables if v.startswith(b"BERTH_OUTPUT_DIR=" + center.dir.encode())]
        if output and b"BERTH_JOB_ID=%d" % job in variables:
            found.append(int(path.split("/")[2]))
    return found


def submit_until_killed(center, token):
    """200 jobs, sixteen at a time, the scheduler killed after the last acknowledgement; more are in flight then."""
    def submit(index):
        return index, center.try_berth("submit", "--parsable", "--project", "research", "--hold", "--name",
                                       "keep-%d" % index, "--", "true", token=token)

    acknowledged = {}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        tasks = [pool.submit(submit, index) for index in range(240)]
        for task in concurrent.futures.as_completed(tasks):
            index, result = task.result()
            if result.code == 0:
                acknowledged[index] = int(result.out)
            if len(acknowledged) == 200:
                break
        center.kill("berthd")
        center.up()  # those in flight try again with the same key
        for task in concurrent.futures.as_completed(tasks):
            index, result = task.result()
            if result.code == 0:
                acknowledged[index] = int(result.out)
    return acknowledged


def main():
    with Center("--nodes", "3", "--devices", "8") as center:
        token = center.add_tenant("acme", 16, 24)

        with shows("kill -9 of an agent during a training: adopted, succeeded"):
            job = center.submit_training(token, arguments=PACE)
            center.await_log(job, r"epoch +5/", 20, token=token)
            node = center.job(job, token=token)["nodes"][0]
            center.kill("agent-" + node.rsplit("-", 1)[1])
            center.up()
            expect_unbroken(center, job, token)

        with shows("kill -9 of an agent whose task fails meanwhile: the exit code is kept"):
            marker = center.path("go")
            job = center.submit("--nodes", "1", "--", "sh", "-c",
                                "while [ ! -e %s ]; do sleep 0.05; done; exit 7" % marker, token=token)
            node = center.await_state(job, ["running"], 20, token=token)["nodes"][0]
            center.kill("agent-" + node.rsplit("-", 1)[1])
            open(marker, "w").close()
            center.up()
            waited = center.try_berth("wait", str(job), token=token)
            expect(waited.code == 7, str(waited))

        with shows("an agent that lost its journal finds its tasks by their folders: adopted, succeeded"):
            job = center.submit_training(token, arguments=PACE)
            center.await_log(job, r"epoch +5/", 20, token=token)
            agent = agent_of(center, job, token)
            center.kill(agent)
            os.unlink(center.path(agent, "journal"))
            center.up()
            expect_unbroken(center, job, token)

        for damage in (os.unlink, zero):
            with shows("what ended while its agent was dead, its journal %s and its folders gone, runs no second time"
                       % ("gone" if damage is os.unlink else "zeroed")):
                ran, go = center.path("ran-" + damage.__name__), center.path("go-" + damage.__name__)
                job = center.submit("--nodes", "1", "--on-node-loss", "fail", "--", "sh", "-c",
                                    "echo once >>%s; while [ ! -e %s ]; do sleep 0.05; done" % (ran, go), token=token)
                wait_until(lambda: os.path.exists(ran), 20, "the job runs")
                agent = agent_of(center, job, token)
                center.kill(agent)
                open(go, "w").close()
                wait_until(lambda: not task_pids(center, job), 20, "the job has ended")
                damage(center.path(agent, "journal"))
                shutil.rmtree(center.path(agent, "jobs"))
                center.up()
                ended = center.await_state(job, ["failed"], 20, token=token)
                expect("lost its journal" in json.dumps(ended), json.dumps(ended))
                again = center.submit("--", "true", token=token)
                center.await_state(again, ["succeeded"], 20, token=token)
                with open(ran) as file:
                    expect(file.read() == "once\n", "it ran twice")

        with shows("kill -9 of the scheduler during a training: succeeded"):
            job = center.submit_training(token, arguments=PACE)
            center.await_log(job, r"epoch +5/", 20, token=token)
            center.kill("berthd")
            center.up()
            expect_unbroken(center, job, token)

        with shows("kill -9 of scheduler and all agents during a training: succeeded"):
            job = center.submit_training(token, arguments=PACE)
            center.await_log(job, r"epoch +5/", 20, token=token)
            for name in ("berthd", "agent-1", "agent-2", "agent-3"):
                center.kill(name)
            center.up()
            expect_unbroken(center, job, token)

        with shows("a training that is asked to stop writes a checkpoint, exits 75, and its next attempt resumes there"):
            job = center.submit_training(token, arguments=PACE)
            center.await_log(job, r"epoch +5/", 20, token=token)
            for pid in task_pids(center, job):
                os.kill(pid, signal.SIGTERM)
            waited = center.try_berth("wait", str(job), token=token)
            expect(waited.code == 0, str(waited))
            ended = center.job(job, token=token)
            expect(ended["state"] == "succeeded" and ended["attempt"] == 1, str(ended))
            first = center.berth("logs", str(job), "--attempt", "0", token=token)
            stopped = re.search(r"checkpoint written after epoch (\d+)", first)
            expect(stopped, first)
            second = center.berth("logs", str(job), token=token)
            expect("resuming after epoch %s," % stopped.group(1) in second, second)
            expect(losses(second)[-1] < losses(first)[0], second)

        with shows("of 200 jobs acknowledged just before a kill -9 none is lost or doubled"):
            acknowledged = submit_until_killed(center, token)
            expect(len(acknowledged) >= 200, "only %d were acknowledged" % len(acknowledged))
            jobs = [job for job in center.items("ps", "-a", token=token) if job["name"].startswith("keep-")]
            names = collections.Counter(job["name"] for job in jobs)
            doubled = [name for name, count in names.items() if count > 1]
            expect(not doubled, "doubled: %s" % doubled)
            ids = {job["name"]: job["id"] for job in jobs}
            lost = [i for i, job in acknowledged.items() if ids.get("keep-%d" % i) != job]
            expect(not lost, "lost or under another id: %s" % lost)

        with shows("a kill -9 between attempts: no node is left with work that nobody knows"):
            wait_until(lambda: all(node["devices_free"] == 8 and node["state"] == "ready"
                                   for node in center.items("nodes")), 20, "all devices are free again")
    finish()


if __name__ == "__main__":
    main()
