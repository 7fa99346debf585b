#!/usr/bin/env python3
"""Logs are archived when their attempts have ended: whatever the archive does, no job waits for it and no log is lost."""

import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time

from center import BIN, Center, NotHere, alive, expect, finish, shows, wait_until


class Archiving(Center):
    def restart_agent(self, *lines, agent="agent-1"):
        """An agent with more lines in its configuration than dev-cluster.sh gives it."""
        pid = self.pid(agent)
        if alive(pid):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not alive(pid), 20, "the agent ends")
        with open(self.path(agent + ".toml")) as file:
            text = file.read().split("[logs]")[0]
        with open(self.path(agent + ".toml"), "w") as file:
            file.write(text + "[logs]\n" + "\n".join(lines) + "\n")
        process = self.start_agent(agent)
        wait_until(lambda: "ready" in self.berth("nodes"), 30, "the node is ready")
        return process

    def facilities(self):
        return self.items("nodes")[0]["facilities"]

    def run_job(self, token, *command):
        job = self.submit("--devices", "1", "--", *command, token=token)
        began = time.monotonic()
        self.try_berth("wait", str(job), token=token)
        return job, time.monotonic() - began


def files_of(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def waits_of(pid):
    """In the kernel, of each thread."""
    waits = []
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/wchan" % (pid, thread)) as file:
            waits.append(file.read())
    return waits


def archived(center, archive, job):
    path = os.path.join(archive, "acme", str(job), "0")
    wait_until(lambda: "rank-00000.log" in files_of(path) and files_of(center.path("agent-1", "unarchived")) == [], 30,
               "the log of job %d is in the archive" % job)
    return path


def main():
    is_root = os.geteuid() == 0
    archive = tempfile.mkdtemp(prefix="berth-archive-") + "/logs"
    with Archiving("--nodes", "2", "--devices", "4", "--isolation", "allow" if is_root else "off") as center:
        token = center.add_tenant("acme", 4, 4)
        center.berth("node", "drain", "node-2")  # the jobs run on the first
        try:
            show_all(center, token, archive, is_root)
        finally:
            for agent in ("agent-1", "agent-2"):
                os.kill(center.pid(agent), signal.SIGTERM)
            subprocess.run(["umount", archive], capture_output=True)
            shutil.rmtree(os.path.dirname(archive), ignore_errors=True)
    finish()


def show_all(center, token, archive, is_root):
    process = center.restart_agent('log_dir = "%s"' % archive)
    with shows("a missing archive delays no job, is told in the agent's log, and is no facility of the node"):
        missed, took = center.run_job(token, "sh", "-c", "echo missed; sleep 1")
        expect(took < 15, "the job took %.1f s" % took)
        wait_until(lambda: "logs wait for the archive" in open(center.path("agent-1.log")).read(), 20, "a line in the log")
        expect("log-archive" not in center.facilities(), "the facility is told")
        expect(center.berth("logs", str(missed), token=token) == "missed\n", "the node's own copy")
    with shows("once it is there, what waited is brought, and what ends later at once"):
        os.mkdir(archive, 0o755)
        archived(center, archive, missed)
        wait_until(lambda: "log-archive" in center.facilities(), 20, "the facility is told")
        job, _ = center.run_job(token, "sh", "-c", "echo one; echo two >&2")
        path = archived(center, archive, job)
        with open(os.path.join(path, "rank-00000.log")) as file:
            expect(file.read() == "one\ntwo\n", "another log")
        facts = os.stat(os.path.join(path, "rank-00000.log"))
        expect(stat.S_IMODE(facts.st_mode) & 0o007 == 0 and stat.S_IMODE(os.stat(path).st_mode) & 0o007 == 0, "open to others")
        if is_root:
            expect(facts.st_uid == 0 and facts.st_gid >= 1000, "it belongs to %d:%d" % (facts.st_uid, facts.st_gid))
    with shows("berth logs reads the archive when the node's own copy has gone, with times and choices as ever"):
        shutil.rmtree(center.path("agent-1", "jobs", str(job)))
        expect(center.berth("logs", str(job), token=token) == "one\ntwo\n", "not the archived log")
        expect(center.berth("logs", str(job), "--tail", "1", token=token) == "two\n", "its end")
        expect(center.berth("logs", str(job), "--since", "1h", token=token) == "one\ntwo\n", "its times")
        result = center.try_berth("logs", str(job + 1000), token=token)
        expect(result.code == 3, str(result))
    with shows("a link in the archive is not followed; the log stays on the node until it is gone"):
        elsewhere = center.path("elsewhere")
        os.mkdir(elsewhere)
        shutil.move(os.path.join(archive, "acme"), center.path("acme-kept"))
        os.symlink(elsewhere, os.path.join(archive, "acme"))
        job, _ = center.run_job(token, "echo", "linked")
        time.sleep(5)
        expect(os.listdir(elsewhere) == [], "something was written through the link")
        os.unlink(os.path.join(archive, "acme"))
        archived(center, archive, job)
    with shows("an agent that dies over it goes on where it was"):
        os.rename(archive, archive + ".away")
        job, _ = center.run_job(token, "echo", "survives")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        os.rename(archive + ".away", archive)
        process = subprocess.Popen([os.path.join(BIN, "berth-agent"), "--config", center.path("agent-1.toml")],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        with open(center.path("agent-1.pid"), "w") as file:
            file.write("%d\n" % process.pid)
        archived(center, archive, job)
    with shows("a full archive takes nothing half, and takes all once there is room"):
        if not is_root:
            raise NotHere("mounting a small disk takes root")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", archive], capture_output=True, text=True)
        if done.returncode != 0:
            raise NotHere(done.stderr.strip())
        job, took = center.run_job(token, "sh", "-c", "head -c 3000000 /dev/zero; echo end")
        expect(took < 15, "the job took %.1f s" % took)
        wait_until(lambda: "No space left" in open(center.path("agent-1.log")).read() or
                   "log-archive" not in center.facilities(), 30, "the full archive is noticed")
        expect(not [name for name in files_of(os.path.join(archive, "acme", str(job), "0"))], "half a log is there")
        subprocess.run(["mount", "-o", "remount,size=32m", archive], check=True)
        path = archived(center, archive, job)
        expect(os.path.getsize(os.path.join(path, "rank-00000.log")) == 3000004, "not all of it")
    with shows("what the node brought longer ago than logs.keep leaves the archive, and what others brought stays"):
        center.restart_agent('log_dir = "%s"' % archive, 'keep = "1h"')
        old, _ = center.run_job(token, "echo", "old")
        shared, _ = center.run_job(token, "echo", "shared")
        young, _ = center.run_job(token, "echo", "young")
        paths = [archived(center, archive, job) for job in (old, shared, young)]
        with open(os.path.join(paths[1], "rank-00008.log"), "w") as file:
            file.write("another node's")
        records = center.path("agent-1", "archived")
        for name in os.listdir(records):
            if int(name.split(".")[0]) != young:
                os.utime(os.path.join(records, name), (time.time() - 7200,) * 2)
        center.restart_agent('log_dir = "%s"' % archive, 'keep = "1h"')
        wait_until(lambda: not os.path.exists(os.path.dirname(paths[0])), 20, "the old log is removed")
        wait_until(lambda: files_of(paths[1]) == ["rank-00008.log"], 20, "the other's log alone")
        expect("rank-00000.log" in files_of(paths[2]), "the young log is gone")
    with shows("while the node is away any other with an archive reads it, and none reads it for a job that goes on"):
        center.restart_agent('log_dir = "%s"' % archive, agent="agent-2")
        job, _ = center.run_job(token, "echo", "read elsewhere")
        archived(center, archive, job)
        running = center.submit("--devices", "1", "--", "sleep", "300", token=token)
        center.await_state(running, ["running"], 20, token=token)
        wait_until(lambda: "log-archive" in center.items("nodes")[1]["facilities"], 20, "the other node has it, too")
        center.kill("agent-1")
        wait_until(lambda: center.try_berth("logs", str(job), token=token).out == "read elsewhere\n", 20, "the log is read")
        result = center.try_berth("logs", str(running), token=token)
        expect(result.code == 7 and "node-1" in result.err, str(result))
        center.restart_agent('log_dir = "%s"' % archive)
        center.berth("cancel", "--now", str(running), token=token)
    with shows("a stop does not wait for an archive that does not answer, and nothing is lost by it"):
        job, _ = center.run_job(token, "echo", "out of reach")
        path = archived(center, archive, job)
        shutil.rmtree(center.path("agent-1", "jobs", str(job)))
        stamps = os.path.join(path, "rank-00000.log.stamps")
        os.unlink(stamps)
        os.mkfifo(stamps, 0o600)  # whoever opens it waits for a writer that never comes
        running = center.submit("--devices", "1", "--", "sh", "-c", "echo begun; sleep 20; echo ended", token=token)
        center.await_log(running, "begun", 20, token=token)
        reader = subprocess.Popen([os.path.join(BIN, "berth"), "logs", str(job), "--since", "1h"],
                                  env=center.environment(token), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: "wait_for_partner" in waits_of(center.pid("agent-1")), 20, "a thread of the agent hangs")
        os.kill(center.pid("agent-1"), signal.SIGTERM)
        wait_until(lambda: not alive(center.pid("agent-1")), 20, "the agent ends")
        reader.kill()
        reader.wait()
        expect("what it waits for does not answer" in open(center.path("agent-1.log")).read(), "no word of it in the log")
        expect(center.job(running, token=token)["state"] == "running", "the task did not go on")
        wait_until(lambda: "exit" in files_of(center.path("agent-1", "jobs", str(running), "0")), 30, "the task's end")
        os.unlink(stamps)
        center.restart_agent('log_dir = "%s"' % archive)
        center.await_state(running, ["succeeded"], 20, token=token)
        with open(os.path.join(archived(center, archive, running), "rank-00000.log")) as file:
            expect(file.read() == "begun\nended\n", "another log")
    with shows("nor does a start that a driver holds up"):
        tool = center.path("bin", "npu-smi")
        os.mkdir(os.path.dirname(tool))
        with open(os.open(tool, os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
            file.write("#!/bin/sh\nexec sleep 60\n")
        with open(center.path("agent-1.toml")) as file:
            settings = file.read().replace('kind = "simulated"', 'kind = "ascend"')
        with open(center.path("held.toml"), "w") as file:
            file.write(re.sub(r"\[\[simulated\]\]\n([a-z].*\n)*", "", settings))
        center.kill("agent-1")
        with open(center.path("held.log"), "w") as log:
            held = subprocess.Popen([os.path.join(BIN, "berth-agent"), "--config", center.path("held.toml")], stderr=log, stdout=log,
                                    env=dict(os.environ, PATH=os.path.dirname(tool) + ":" + os.environ["PATH"]))
        try:
            wait_until(lambda: os.path.exists("/proc/%d/task/%d/children" % (held.pid, held.pid)) and
                       open("/proc/%d/task/%d/children" % (held.pid, held.pid)).read().strip(), 10, "it asks the driver")
            held.terminate()
            expect(held.wait(15) == 0, open(center.path("held.log")).read())
        finally:
            held.kill()
        center.restart_agent('log_dir = "%s"' % archive)
    with shows("without an archive in the configuration nothing waits for one"):
        center.restart_agent()
        wait_until(lambda: not os.path.exists(center.path("agent-1", "unarchived")), 10, "the marks are gone")


if __name__ == "__main__":
    main()
