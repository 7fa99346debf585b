#!/usr/bin/env python3
"""Backups, and what a restored one does: it runs nothing twice. Databases that must not be used are refused."""

import os
import shutil
import sqlite3
import subprocess

from center import BIN, Center, expect, finish, shows, wait_until

# A lost node's tasks are dead after 25 s: so long a resume must wait. The lease must outlast what is done to the database
# while no scheduler serves, on a busy machine too.
SHORT_LEASE = ["--config", "nodes.mass_loss_percent=100", "--config", "lease.timeout=20s", "--config", "lease.kill_timeout=1s", "--config", "nodes.lost_after=25s",
               "--config", "nodes.heartbeat_interval=200ms", "--config", "nodes.suspect_after=1s"]


class Restored(Center):
    def admin(self, *words):
        return self.try_berth("admin", *words, "--socket", self.path("data", "admin.sock"))

    def stop_scheduler(self):
        self.kill("berthd")

    def restore(self, backup, *words):
        return self.try_berth("admin", "restore", backup, "--config", self.path("berthd.toml"), *words)

    def berthd(self, *words):
        return subprocess.run([os.path.join(BIN, "berthd"), "--config", self.path("berthd.toml"), *words],
                              capture_output=True, text=True, timeout=60)

    def refusal(self, code):
        """berthd does not start, and says what, why and how to fix it."""
        done = self.berthd()
        expect(done.returncode == 1, "berthd ended with %d: %s" % (done.returncode, done.stderr))
        expect("error[%s]" % code in done.stderr and "fix:" in done.stderr, done.stderr)


def counting_job(center, name, token, hold=False):
    """Adds a line to a file at its start, then waits for a file; how often it started is the number of lines."""
    starts, go = center.path(name + ".starts"), center.path(name + ".go")
    script = "echo $BERTH_ATTEMPT >>%s; while [ ! -e %s ]; do sleep 0.05; done; exit 0" % (starts, go)
    options = ["--hold"] if hold else []
    return center.submit("--name", name, "--nodes", "1", "--devices", "1", *options, "--", "sh", "-c", script, token=token)


def starts_of(center, name):
    try:
        with open(center.path(name + ".starts")) as file:
            return len(file.read().split())
    except FileNotFoundError:
        return 0


def go(center, name):
    open(center.path(name + ".go"), "w").close()


def show_backup(center, backup):
    made = center.admin("backup", "create", backup)
    expect(made.code == 0, str(made))
    expect(os.stat(backup).st_mode & 0o777 == 0o600, "the backup's mode")
    verified = center.try_berth("admin", "backup", "verify", backup)
    expect(verified.code == 0 and "is whole" in verified.out and backup + ".uploads is whole" in verified.out, str(verified))
    expect(os.stat(backup + ".uploads").st_mode & 0o777 == 0o600, "the mode of its uploads")
    again = center.admin("backup", "create", backup)
    expect(again.code != 0 and "B8212" in again.err, "a backup replaced a file: " + str(again))


def show_bad_backups(center, backup):
    bad = center.path("bad.db")
    size = os.path.getsize(backup)
    for what, change in (("truncated", lambda file: file.truncate(size // 2)),
                         ("flipped", lambda file: (file.seek(size // 2), file.write(b"\xa5" * 4096)))):
        shutil.copyfile(backup, bad)
        with open(bad, "r+b") as file:
            change(file)
        verified = center.try_berth("admin", "backup", "verify", bad)
        expect(verified.code == 1 and "error[B820" in verified.err, what + ": " + str(verified))
        refused = center.restore(bad, "--cluster-name", "center")
        expect(refused.code == 1, what + " was restored: " + str(refused))


def show_bad_uploads(center, backup, other):
    """A backup with uploads that are not whole, or not its own, is neither verified nor restored."""
    bad = center.path("bad-uploads.db")
    shutil.copyfile(backup, bad)
    for what, content in (("cut short", open(backup + ".uploads", "rb").read()[:-10]),
                          ("another's", open(other + ".uploads", "rb").read())):
        with open(bad + ".uploads", "wb") as file:
            file.write(content)
        for result in (center.try_berth("admin", "backup", "verify", bad), center.restore(bad, "--cluster-name", "center")):
            expect(result.code == 1 and "error[B8213]" in result.err, what + ": " + str(result))
    os.unlink(bad + ".uploads")
    result = center.try_berth("admin", "backup", "verify", bad)
    expect(result.code == 0 and "no uploaded folders are with it" in result.out, str(result))


def show_restore(center, token, backup):
    """Since the backup: `ended` has ended, `late` was submitted, `waited` was released and runs."""
    ended, kept = counting_job(center, "ended", token), counting_job(center, "kept", token)
    waited = counting_job(center, "waited", token, hold=True)
    folder = center.path("project")
    os.mkdir(folder)
    with open(os.path.join(folder, "word"), "w") as file:
        file.write("uploaded\n")
    queued = center.submit("--name", "queued", "--nodes", "1", "--devices", "8", "--workdir", ".", "--", "sh", "-c",
                           "cat word >>" + center.path("queued.starts"), token=token, cwd=folder)
    for job in (ended, kept):
        center.await_state(job, ["running"], 20, token=token)
    show_backup(center, backup)
    show_bad_uploads(center, backup, center.path("first.db"))
    go(center, "ended")
    center.await_state(ended, ["succeeded"], 20, token=token)
    center.berth("release", str(waited), token=token)
    center.await_state(waited, ["running"], 20, token=token)
    late = counting_job(center, "late", token)
    center.await_state(late, ["running"], 20, token=token)
    center.stop_scheduler()
    shutil.rmtree(center.path("data", "uploads"))
    refused = center.restore(backup)
    expect(refused.code == 1 and "B8214" in refused.err, "not asked for the name: " + str(refused))
    wrong = center.restore(backup, "--cluster-name", "centre")
    expect(wrong.code == 1 and "B8214" in wrong.err, "another name was taken: " + str(wrong))
    done = center.restore(backup, "--cluster-name", "center")
    expect(done.code == 0 and "1 uploaded folders" in done.out, str(done))
    center.up()
    status = center.items_of_status()
    expect(status["recovery"] and status["sched_epoch"] > 2**32, str(status))
    return {"ended": ended, "kept": kept, "waited": waited, "queued": queued, "late": late}


def main():
    with Restored("--nodes", "1", "--devices", "8", *SHORT_LEASE) as center:
        center.items_of_status = lambda: center.items("admin", "status", "--socket", center.path("data", "admin.sock"))[0]
        token = center.add_tenant("acme", 8, 8)
        backup = center.path("backup.db")
        jobs = {}

        with shows("a backup is made while the center serves, is checked, and replaces nothing"):
            show_backup(center, center.path("first.db"))

        with shows("a truncated and a bit-flipped backup are neither verified nor restored"):
            show_bad_backups(center, center.path("first.db"))

        with shows("a restore asks for the cluster's name, raises the epoch and begins a recovery"):
            jobs = show_restore(center, token, backup)

        with shows("a restored center adopts what it knows, ends what it does not know, and holds what may have ended"):
            expect(center.job(jobs["kept"], token=token)["state"] == "running", "the running job is adopted")
            held = center.await_state(jobs["ended"], ["held"], 20, token=token)
            expect("restored" in held["reason"]["message"], str(held["reason"]))
            queued = center.job(jobs["queued"], token=token)
            expect(queued["state"] == "held" and "restored" in queued["reason"]["message"], str(queued))
            expect(center.try_berth("show", str(jobs["late"]), token=token).code == 3, "the late job is unknown")
            wait_until(lambda: center.items("nodes")[0]["devices_free"] == 7, 20, "only the adopted job holds a device")

        with shows("nothing starts in recovery, and a resume waits for the leases"):
            new = center.submit("--name", "new", "--nodes", "1", "--", "true", token=token)
            expect(new > 10_000_000, "the id %d may have been given out" % new)
            early = center.admin("resume")
            expect(early.code in (0, 5), str(early))
            if early.code == 5:
                expect("B8215" in early.err, str(early))
                expect(center.job(new, token=token)["state"] == "pending", "started in recovery")
            wait_until(lambda: early.code == 0 or center.admin("resume").code == 0, 40, "resumed")
            center.await_state(new, ["succeeded"], 20, token=token)

        with shows("a restored backup runs nothing twice"):
            go(center, "kept")
            center.await_state(jobs["kept"], ["succeeded"], 20, token=token)
            counts = {name: starts_of(center, name) for name in ("ended", "kept", "waited", "late", "queued")}
            expect(counts == {"ended": 1, "kept": 1, "waited": 1, "late": 1, "queued": 0}, str(counts))

        with shows("a job that a person releases after the restore runs, in the folder that was uploaded for it"):
            center.berth("release", str(jobs["queued"]), token=token)
            center.await_state(jobs["queued"], ["succeeded"], 20, token=token)
            with open(center.path("queued.starts")) as file:
                expect(file.read() == "uploaded\n", "another folder")

        with shows("the audit is whole after a restore, and a changed row of it is found"):
            whole = center.admin("audit", "verify")
            expect(whole.code == 0, str(whole))
            center.stop_scheduler()
            database = sqlite3.connect(center.path("data", "berth.db"))
            database.executescript("DROP TRIGGER audit_stays; UPDATE audit SET object = 'x' WHERE seq = 2;")
            database.close()
            center.refusal("B8210")
            center.restore(center.path("first.db"), "--cluster-name", "center")

        path = center.path("data", "berth.db")
        good = center.path("good.db")
        shutil.copyfile(path, good)

        def put(change=None):
            for end in ("", "-wal", "-journal"):
                if os.path.lexists(path + end):
                    os.unlink(path + end)
            shutil.copyfile(good, path)
            os.chmod(path, 0o600)
            if change:
                with open(path, "r+b") as file:
                    change(file)

        with shows("a truncated, bit-flipped, foreign, world-readable, symlinked database is refused with what to do"):
            size = os.path.getsize(good)
            put(lambda file: file.truncate(size // 2))
            center.refusal("B8204")
            put(lambda file: (file.seek(8192), file.write(b"\xa5" * 4096)))
            center.refusal("B8204")
            put(lambda file: (file.truncate(0), file.write(b"no database " * 400)))
            center.refusal("B8203")
            put()
            os.chmod(path, 0o666)
            center.refusal("B8201")
            os.unlink(path)
            os.symlink(good, path)
            center.refusal("B8202")
            os.unlink(path)

        with shows("a database in use is refused to a second daemon and to a restore"):
            put()
            center.up()
            center.refusal("B8206")
            refused = center.restore(good, "--cluster-name", "center")
            expect(refused.code == 1 and "B8206" in refused.err, str(refused))

        with shows("berthd --migrate-only checks the database and ends"):
            center.stop_scheduler()
            done = center.berthd("--migrate-only")
            expect(done.returncode == 0 and "schema version" in done.stdout, done.stdout + done.stderr)
    finish()


if __name__ == "__main__":
    main()
