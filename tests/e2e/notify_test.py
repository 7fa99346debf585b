#!/usr/bin/env python3
"""Jobs tell how far they are, by `berth notify` or by a few lines to a socket; people see it, and a stop counts from it."""

import contextlib
import datetime
import os
import re
import shutil
import subprocess
import tempfile

from center import BIN, ROOT, Center, NotHere, expect, finish, shows, wait_until

# Where users of jobs reach it; `main` may copy it to such a place.
NOTIFY = os.path.join(BIN, "berth") + " notify"
# Tells the lines that it is given, and how the supervisor answered.
TELL = ("import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(os.environ['BERTH_NOTIFY_SOCKET'])\n"
        "s.sendall(sys.argv[1].encode() + b'\\n\\n')\nprint(s.recv(200).decode(), end='')\n")


def guide_example(language):
    """The example of the user guide that stands in a block of this language."""
    with open(os.path.join(ROOT, "docs", "user-guide.md")) as file:
        chapter = file.read().split("## Telling how far a job is", 1)[1].split("\n## ", 1)[0]
    return re.search("```%s\n(.*?)```" % language, chapter, re.S).group(1)


class Told(Center):
    def start(self, script, token, *options):
        """A job with one device that runs a shell script and then sleeps."""
        job = self.submit("--devices", "1", *options, "--", "/bin/bash", "-c", script + "\nsleep 3000", token=token)
        self.await_state(job, ["running"], 20, token=token)
        return job

    def notice(self, job, token):
        return self.job(job, token=token)["notice"] or {}

    def await_notice(self, job, token, **parts):
        def told():
            notice = self.notice(job, token)
            return notice if all(notice.get(key) == value for key, value in parts.items()) else None
        return wait_until(told, 15, "job %d has told %s" % (job, parts))

    def inside(self, job, script, token):
        return self.try_berth("exec", str(job), "--", "/bin/bash", "-c", script, token=token)


def basics(center, token):
    job = center.start("%s --checkpoint step=100 --progress 0.4 'epoch 3'" % NOTIFY, token)
    with shows("what a job tells is in show, ps and explain"):
        center.await_notice(job, token, text="epoch 3", checkpoint="step=100", progress=0.4)
        expect(center.job(job, token=token)["checkpoint_at"], "no time of the checkpoint")
        shown = center.berth("show", str(job), token=token)
        for line in (r"checkpoint\s+step=100, .* ago", r"progress\s+40 %", r"notice\s+epoch 3, .* ago"):
            expect(re.search(line, shown), "%r is not in: %s" % (line, shown))
        listed = center.berth("ps", "-o", "wide", token=token)
        expect(re.search(r"PROGRESS +CHECKPOINT +NOTICE", listed) and re.search(r"40 % +step=100, .*epoch 3", listed), listed)
        listed = center.berth("ps", token=token)
        expect("PROGRESS" in listed and "40 %" in listed, listed)
        explained = center.berth("explain", str(job), token=token)
        expect(re.search(r"A STOP LOSES +\S+ since the checkpoint step=100", explained), explained)
    with shows("each part is the last of its kind"):
        result = center.inside(job, NOTIFY + " --progress 0.5", token)
        expect(result.code == 0 and result.out == "", str(result))
        center.await_notice(job, token, text="epoch 3", checkpoint="step=100", progress=0.5)
        at = center.job(job, token=token)["checkpoint_at"]
        center.inside(job, NOTIFY + " --checkpoint step=200", token)
        center.await_notice(job, token, checkpoint="step=200")
        expect(center.job(job, token=token)["checkpoint_at"] > at, "the checkpoint's time did not move")
    with shows("control characters of a text reach no terminal"):
        center.inside(job, NOTIFY + r" $'\e[31mred\a\r\x9b ok'", token)
        notice = wait_until(lambda: (lambda n: n if "red" in n["text"] else None)(center.notice(job, token)), 15, "it is told")
        expect(not re.search(r"[\x00-\x1f\x7f-\x9f]", notice["text"]), repr(notice))
        expect("\x1b" not in center.berth("show", str(job), token=token), "an escape is shown")
    with shows("the user guide's examples do the same without berth"):
        python, shell = guide_example("python"), guide_example("sh")
        result = center.inside(job, "/usr/bin/python3 -c '%s'" % python, token)
        expect(result.code == 0, str(result))
        center.await_notice(job, token, checkpoint="step=12000", progress=0.4, text="epoch 3, loss 0.21")
        if not os.path.exists("/usr/bin/perl"):
            raise NotHere("the shell's example needs perl")
        center.inside(job, shell, token)
        center.await_notice(job, token, checkpoint="step=13000")
    with shows("nonsense is refused, and says why"):
        result = center.inside(job, NOTIFY + " --progress 40", token)
        expect(result.code == 2 and "from 0 to 1" in result.err, str(result))
        result = center.inside(job, NOTIFY, token)
        expect(result.code == 2, str(result))
        result = center.inside(job, "/usr/bin/python3 -c \"%s\" job=1" % TELL, token)
        expect(result.out.startswith("refused: a line is checkpoint=NAME"), str(result))
        expect(center.notice(job, token)["progress"] == 0.4, "it changed something")
    with shows("outside of a job notify says so"):
        result = center.try_berth("notify", "x", token=token)
        expect(result.code != 0 and "error[B1309]" in result.err and "not inside a job" in result.err, str(result))
    return job


def restarts(center, token):
    jobs = center.path("agent-1", "jobs")
    wait = "while [ ! -e go ]; do sleep 0.1; done; "
    stays = center.start(wait + "%s --checkpoint away 'told to nobody' && touch told" % NOTIFY, token)
    ends = center.submit("--devices", "1", "--", "/bin/bash", "-c",
                         wait + "%s --checkpoint last --progress 1; touch told; exit 3" % NOTIFY, token=token)
    center.await_state(ends, ["running"], 20, token=token)
    with shows("what jobs tell while their agent is dead is heard by its next life, also of those that ended"):
        center.kill("agent-1")
        for job in (stays, ends):
            with open(os.path.join(jobs, str(job), "0", "work", "go"), "w"):
                pass
            wait_until(lambda: os.path.exists(os.path.join(jobs, str(job), "0", "work", "told")), 15, "it has told")
        expect(not center.notice(stays, token), "it was heard without an agent")
        center.up()
        center.await_notice(stays, token, checkpoint="away", text="told to nobody")
        ended = center.await_state(ends, ["failed"], 20, token=token)
        expect(ended["notice"]["checkpoint"] == "last" and ended["notice"]["progress"] == 1, str(ended["notice"]))
        expect(ended["end"]["exit_code"] == 3, str(ended["end"]))
    with shows("an agent that dies after a notice changes nothing, and a scheduler that dies neither"):
        before = center.job(stays, token=token)
        center.kill("agent-1")
        center.kill("berthd")
        center.up()
        center.await_state(stays, ["running"], 20, token=token)
        after = center.job(stays, token=token)
        expect(after["notice"]["checkpoint"] == "away" and after["checkpoint_at"] == before["checkpoint_at"],
               "%s, before %s" % (after["notice"], before["notice"]))
        center.inside(stays, NOTIFY + " --checkpoint back", token)
        center.await_notice(stays, token, checkpoint="back")
    center.berth("cancel", "--now", str(stays), token=token)


def memory_kib(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def heartbeat_age(center):
    return center.items("nodes")[0]["last_heartbeat_seconds"]


def floods(center, token):
    quiet = center.start("true", token)
    flood = center.start("for i in 1 2 3 4; do /usr/bin/python3 -c \"%s\" & done; wait" % (
        "import os, socket\nwhile True:\n  s = socket.socket(socket.AF_UNIX)\n"
        "  s.connect(os.environ['BERTH_NOTIFY_SOCKET'])\n  s.sendall(b'text=' + b'x' * 1900)\n  s.close()\n"), token)
    with shows("a job that floods its socket delays no heartbeat and no other job's notice, and takes no memory"):
        center.await_notice(flood, token, text="x" * 256)
        before = memory_kib(center.pid("agent-1"))
        ages = []
        for step in range(5):
            result = center.inside(quiet, NOTIFY + " --checkpoint step=%d" % step, token)
            expect(result.code == 0, str(result))
            center.await_notice(quiet, token, checkpoint="step=%d" % step)
            ages.append(heartbeat_age(center))
        grown = memory_kib(center.pid("agent-1")) - before
        expect(max(ages) < 15, "heartbeats were late: %s s" % ages)
        expect(grown < 8192, "the agent grew by %d KiB" % grown)
        center.berth("cancel", "--now", str(flood), token=token)
        center.await_state(flood, ["cancelled"], 20, token=token)
    with shows("a connection that says nothing holds nobody up"):
        script = ("import os, socket, time\nh = []\nfor i in range(8):\n  s = socket.socket(socket.AF_UNIX)\n"
                  "  s.connect(os.environ['BERTH_NOTIFY_SOCKET'])\n  h.append(s)\nprint('hung', flush=True)\ntime.sleep(60)\n")
        holder = subprocess.Popen([os.path.join(BIN, "berth"), "exec", str(quiet), "--", "/usr/bin/python3", "-c", script],
                                  env=center.environment(token), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        expect(holder.stdout.readline() == b"hung\n", "it does not run")
        result = center.inside(quiet, NOTIFY + " --checkpoint after", token)
        expect(result.code == 0, str(result))
        center.await_notice(quiet, token, checkpoint="after")
        holder.kill()
        holder.wait()
    center.berth("cancel", "--now", str(quiet), token=token)


def socket_of(job):
    """Where a job with mounts of its own tells of itself, as root of the machine can see it."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if b"BERTH_JOB_ID=%d\0" % job in file.read():
                    return "/proc/%s/root/run/berth/notify.sock" % pid
        except OSError:
            continue
    raise AssertionError("no process of job %d" % job)


def borders(center, token, stranger, is_root):
    mine, other = center.start("true", token), center.start("true", stranger)
    with shows("another job's socket is out of reach"):
        if not is_root:
            raise NotHere("needs root, for jobs with users and mounts of their own")
        found = subprocess.run(["find", center.dir, "-name", "notify.sock"], capture_output=True, text=True).stdout
        expect(not found, "sockets among the host's files: %s" % found)
        socket = socket_of(other)
        expect(os.stat(socket).st_mode & 0o777 == 0o600 and os.stat(socket).st_uid >= 1000, "who may connect")
        script = "BERTH_NOTIFY_SOCKET=%s %s --checkpoint stolen" % (socket, NOTIFY)
        result = center.inside(mine, script, token)
        expect(result.code != 0 and "error[B1309]" in result.err, str(result))
        # Root of the machine passes the file's mode, but is not the job.
        result = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True)
        expect(result.returncode != 0, "root spoke for the job: %s" % result)
        for claim in ("job=%d" % other, "allocation=1"):
            result = center.inside(mine, "/usr/bin/python3 -c \"%s\" '%s'" % (TELL, claim), token)
            expect(result.out.startswith("refused"), str(result))
        expect(not center.notice(other, stranger), "it was heard for the other job")
    for job, owner in ((mine, token), (other, stranger)):
        center.berth("cancel", "--now", str(job), token=owner)


def recalls():
    with Told("--nodes", "1", "--devices", "2", "--isolation", "off") as center:
        owner = center.add_tenant("owner", 2, 2)
        borrower = center.add_tenant("borrower", 0, 2)
        with shows("who saved last is asked first: a recall loses what came after the checkpoint"):
            saved = center.start("true", borrower)
            younger = center.start("true", borrower)
            # Without the checkpoint it would be the younger one, which has run for less time.
            # The jobs of a dev-cluster find berth.
            expect(center.inside(saved, "berth notify --checkpoint step=1", borrower).code == 0, "no berth in the job")
            center.await_notice(saved, borrower, checkpoint="step=1")
            claim = center.submit("--devices", "1", "--", "sleep", "300", token=owner)
            center.await_state(claim, ["running"], 60, token=owner)
            expect(center.job(younger, token=borrower)["state"] == "running", "the younger one was recalled")
            past = center.items("show", str(saved), "--attempts", token=borrower)[0]
            expect(past["attempts"][0]["end"]["reason"] == "preempted", str(past["attempts"]))
            expect(past["attempts"][0]["notice"]["checkpoint"] == "step=1", str(past["attempts"]))
            # The certificate counts from the checkpoint, not from the start.
            recall = past["reclaims"][0]
            asked = [row for row in recall["candidates"] if row["job"] == saved][0]
            moment = datetime.datetime.fromisoformat
            ran = (moment(recall["at"]) - moment(asked["started_at"])).total_seconds()
            expect(asked["chosen"] and asked["lost_work_seconds"] < ran, "ran %s s: %s" % (ran, asked))


@contextlib.contextmanager
def berth_for_jobs():
    """The client where a user of a job may execute it: in its place, or a copy of it."""
    global NOTIFY
    folder = BIN
    while folder != "/" and os.stat(folder).st_mode & 0o5 == 0o5:
        folder = os.path.dirname(folder)
    if folder == "/" and not BIN.startswith(("/tmp/", "/var/tmp/")) or os.geteuid() != 0:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="berth-e2e-", dir="/var/lib") as place:
        os.chmod(place, 0o755)
        shutil.copy(os.path.join(BIN, "berth"), place)
        NOTIFY = os.path.join(place, "berth") + " notify"
        yield


def run():
    is_root = os.geteuid() == 0
    with Told("--nodes", "1", "--devices", "8", "--isolation", "allow" if is_root else "off") as center:
        token = center.add_tenant("acme", 8, 8)
        stranger = center.add_tenant("other", 0, 8)
        job = basics(center, token)
        center.berth("cancel", "--now", str(job), token=token)
        restarts(center, token)
        floods(center, token)
        borders(center, token, stranger, is_root)
    recalls()


def main():
    with berth_for_jobs():
        run()
    finish()


if __name__ == "__main__":
    main()
