#!/usr/bin/env python3
"""--workdir of a folder of one's own: what is new of it is uploaded, and every node of the job has a copy."""

import glob
import hashlib
import os
import re
import shutil
import socket
import subprocess

from center import Center, NotHere, expect, finish, shows, wait_until


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def make_project(folder):
    """Seven files that are uploaded, and some that are not."""
    write(folder + "/main.sh", "#!/bin/sh\n. lib/words.sh\nsay \"rank $NODE_RANK in $PWD\"\n", 0o755)
    write(folder + "/lib/words.sh", "say() { echo \"it says: $*\"; }\n")
    write(folder + "/lib/private", "p\n", 0o600)
    write(folder + "/lib/same", "p\n", 0o640)
    write(folder + "/empty", "")
    os.makedirs(folder + "/empty-folder")
    os.symlink("lib/words.sh", folder + "/link")
    write(folder + "/.gitignore", "*.log\n/data/\n!keep.log\n")
    write(folder + "/keep.log", "kept\n")
    write(folder + "/.git/config", "secret\n")
    write(folder + "/run.log", "x\n")
    write(folder + "/data/set", "x" * 1000)


class Submissions:
    def __init__(self, center, token):
        self.center = center
        self.token = token

    def submit(self, folder, *words, code=0):
        """The id, and what was said of the upload."""
        result = self.center.try_berth("submit", "--parsable", "--project", "research", *words, token=self.token,
                                       cwd=folder)
        expect(result.code == code, str(result))
        return (int(result.out) if code == 0 else None), result.err

    def run(self, folder, *words):
        job, said = self.submit(folder, *words)
        waited = self.center.try_berth("wait", str(job), token=self.token)
        expect(waited.code == 0, "%s\n%s" % (waited, self.center.berth("show", str(job), token=self.token)))
        return job, said, self.center.berth("logs", str(job), token=self.token)


def uploaded(said):
    """(files sent, files in all)"""
    found = re.search(r"^uploaded (\d+) of (\d+) files \(([^)]+)\)$", said, re.M)
    expect(found, "nothing about an upload in: " + said)
    return int(found.group(1)), int(found.group(2))


def files_of_uploads(center):
    return [os.path.join(path, name) for path, _, names in os.walk(center.path("data", "uploads")) for name in names]


def main():
    # So that the scheduler has nothing to start on until a test wants it.
    with Center("--nodes", "2", "--devices", "4", "--isolation", "allow") as center:
        token = center.add_tenant("acme", 8, 8)
        jobs = Submissions(center, token)
        project = center.path("project")
        os.makedirs(project)
        make_project(project)
        here = ("--workdir", ".", "--devices", "1")

        with shows("a job starts in a copy of the folder: files, modes, links; what is ignored stays behind"):
            _, said, log = jobs.run(project, *here, "--", "sh", "-c",
                                    "./main.sh; find . | sort; stat -c '%n %a' main.sh lib/private lib/same; "
                                    "cat link; id -u; stat -c '%u' lib; echo > made && echo >> lib/same && echo can write")
            expect(uploaded(said) == (7, 7), said)
            expect(": rank 0 in " in log and "can write" in log, log)
            names = re.findall(r"^\.\S*$", log, re.M)
            expect(names == [".", "./.gitignore", "./empty", "./empty-folder", "./keep.log", "./lib", "./lib/private",
                             "./lib/same", "./lib/words.sh", "./link", "./main.sh"], str(names))
            expect("main.sh 755\nlib/private 600\nlib/same 640\n" in log, log)
            user, owner = re.findall(r"^\d+$", log, re.M)
            expect(user == owner, "the files are not the job's own: %s, %s" % (user, owner))

        with shows("a second submission sends nothing, a changed file is sent alone, from a job script as well"):
            write(project + "/job.sh", "#!/bin/sh\n#BERTH --workdir . --devices 1\ncat empty\n", 0o755)
            expect(uploaded(jobs.run(project, "job.sh")[1]) == (1, 8), "the new file")
            expect(uploaded(jobs.run(project, "job.sh")[1]) == (0, 8), "nothing is new")
            write(project + "/empty", "not any more\n")
            _, said, log = jobs.run(project, "job.sh")
            expect(uploaded(said) == (1, 8) and "(13 B)" in said and log == "not any more\n", said + log)

        with shows("files keep the times that they were modified at; a touched file is not sent again"):
            show = ("--", "stat", "-c", "%n %Y", "main.sh", "lib/private")
            os.utime(project + "/main.sh", (1000000007, 1000000007))
            os.utime(project + "/lib/private", (86400, 86400))
            _, said, log = jobs.run(project, *here, *show)
            expect(uploaded(said)[0] == 0, said)
            expect("main.sh 1000000007\n" in log and "lib/private 86400\n" in log, log)
            os.utime(project + "/main.sh", (1000000009, 1000000009))
            _, said, log = jobs.run(project, *here, *show)
            expect(uploaded(said)[0] == 0 and "main.sh 1000000009\n" in log, said + log)

        with shows("the name of the manifest is in the record; another tenant's member cannot use it"):
            job, _, _ = jobs.run(project, "job.sh")
            spec = center.job(job, token=token)["spec"]
            expect(re.fullmatch(r"[0-9a-f]{64}", spec["workdir_sha256"] or "") and spec["working_directory"] is None,
                   str(spec))
            expect("a copy of an uploaded one" in center.berth("show", str(job), token=token), "show")
            stranger = Submissions(center, center.add_tenant("other", 0, 8))
            expect(uploaded(stranger.submit(project, "job.sh")[1]) == (8, 8), "a tenant learned of another one's files")

        with shows("an absolute path is a folder of the nodes, as ever"):
            _, said, log = jobs.run(project, "--workdir", "/usr", "--devices", "1", "--", "pwd")
            expect(log == "/usr\n" and "uploaded" not in said, said + log)

        with shows("a gang of two nodes: both have the folder; an array has one upload"):
            job, said, _ = jobs.run(project, "--workdir", ".", "--nodes", "2", "--devices", "4", "--", "./main.sh")
            for rank in (0, 1):
                log = center.berth("logs", str(job), "--rank", str(rank), token=token)
                expect("it says: rank %d in " % rank in log, log)
            array, said = jobs.submit(project, *here, "--array", "0-2", "--", "sh", "-c", "test -f lib/words.sh")
            expect(uploaded(said)[0] == 0, said)
            expect(center.try_berth("wait", str(array), token=token).code == 0, center.berth("show", str(array), token=token))

        with shows("a node fetches a folder once: the second task of an array starts though the scheduler has lost it"):
            write(project + "/lib/words.sh", "say() { echo \"it says twice: $*\"; }\n")
            array, said = jobs.submit(project, *here, "--exclude", "node-2", "--array", "0-1%1", "--", "sh", "-c",
                                      "./main.sh; [ $BERTH_ARRAY_INDEX = 1 ] || sleep 600")
            expect(uploaded(said)[0] == 1, said)

            def task(index):
                return next((job for job in center.items("ps", "-a", token=token)
                             if job["array_id"] == array and job["array_index"] == index), {"state": "none"})
            wait_until(lambda: task(0)["state"] == "running", 20, "the first task runs")
            center.await_log(task(0)["id"], "it says twice", 20, token=token)
            digest = hashlib.sha256(open(project + "/lib/words.sh", "rb").read()).hexdigest()
            lost = [path for path in files_of_uploads(center) if path.endswith(digest)]
            expect(len(lost) == 1, str(lost))
            os.unlink(lost[0])
            center.berth("cancel", "--now", str(task(0)["id"]), token=token)
            wait_until(lambda: task(1)["state"] == "succeeded", 30, "the second task ends: %s" % task(1))
            log = center.berth("logs", str(task(1)["id"]), token=token)
            expect("it says twice" in log, log)
            kept = os.stat(center.path("agent-1", "workdirs"))
            expect(kept.st_mode & 0o777 == 0o700, oct(kept.st_mode))

        with shows("after a change of one file a node fetches that file alone, and checks what it had"):
            write(project + "/lib/big", os.urandom(1 << 20).hex())
            job, _, _ = jobs.run(project, *here, "--exclude", "node-2", "--", "./main.sh")
            write(project + "/lib/words.sh", "say() { echo \"it says thrice: $*\"; }\n")
            job, said = jobs.submit(project, *here, "--exclude", "node-2", "--hold", "--", "sh", "-c",
                                    "./main.sh; sha256sum lib/big")
            expect(uploaded(said)[0] == 1, said)
            with open(project + "/lib/big", "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            lost = [path for path in files_of_uploads(center) if path.endswith(digest)]
            expect(len(lost) == 1, str(lost))
            os.rename(lost[0], center.path("aside"))
            center.berth("release", str(job), token=token)
            expect(center.try_berth("wait", str(job), token=token).code == 0, center.berth("show", str(job), token=token))
            log = center.berth("logs", str(job), token=token)
            expect("it says thrice" in log and digest in log, log)
            os.rename(center.path("aside"), lost[0])
            for path in glob.glob(center.path("agent-1", "workdirs", "*")):
                with open(path, "r+b") as file:  # all kept contents of some size
                    file.seek(os.path.getsize(path) // 2)
                    file.write(b"damaged")
            write(project + "/lib/words.sh", "say() { echo \"it says more: $*\"; }\n")
            _, _, log = jobs.run(project, *here, "--exclude", "node-2", "--", "sh", "-c", "./main.sh; sha256sum lib/big")
            expect("it says more" in log and digest in log, log)
            with open(center.path("agent-1.log")) as file:
                expect("all of it is fetched again" in file.read(), "the damage was not noticed")
            os.unlink(project + "/lib/big")

        with shows("each attempt has a fresh copy; the copies leave with their attempts, the output stays"):
            job, _, log = jobs.run(project, *here, "--requeue-exit", "75", "--", "sh", "-c",
                                   "ls; touch made; echo $BERTH_ATTEMPT > $BERTH_OUTPUT_DIR/last; "
                                   "[ $BERTH_ATTEMPT = 1 ] || exit 75")
            expect("made" not in log, log)
            kept = []
            for agent in ("agent-1", "agent-2"):
                root = center.path(agent, "jobs", str(job))
                wait_until(lambda: not any(os.path.exists(os.path.join(root, attempt, "work")) for attempt in "01"), 20,
                           "no copy is left in " + root)
                kept += [root] if os.path.exists(root + "/output/last") else []
            expect(kept, "the output has gone, too")

        with shows("kill -9 of the scheduler between upload and start: the job starts with its folder"):
            blocker = center.submit("--nodes", "2", "--devices", "4", "--", "sleep", "600", token=token)
            center.await_state(blocker, ["running"], 20, token=token)
            write(project + "/empty", "after the crash\n")
            job, said = jobs.submit(project, "job.sh")
            expect(uploaded(said)[0] == 1, said)
            center.kill("berthd")
            center.up()
            center.berth("cancel", str(blocker), token=token)
            expect(center.try_berth("wait", str(job), token=token).code == 0, center.berth("show", str(job), token=token))
            expect(center.berth("logs", str(job), token=token) == "after the crash\n", "another folder")

        with shows("too large a folder: the largest parts and two ways to mend it; --plan says so, too"):
            large = center.path("large")
            write(large + "/data/a", "")
            os.truncate(large + "/data/a", 300 << 20)
            write(large + "/small", "x")
            for words in (("submit",), ("submit", "--plan"), ("submit", "--dry-run"), ("run",)):
                result = center.try_berth(*words, "--project", "research", "--workdir", ".", "--", "true", token=token,
                                          cwd=large)
                expect(result.code == 2 and "B1310" in result.err and "data: 300 MiB" in result.err
                       and ".berthignore" in result.err and "--upload-max" in result.err, str(result))
            result = center.try_berth("submit", "--project", "research", "--workdir", ".", "--upload-max", "5GiB",
                                      "--plan", "--", "true", token=token, cwd=large)
            expect(result.code in (0, 10), str(result))
            write(large + "/.berthignore", "/data/\n")
            expect(uploaded(jobs.run(large, *here, "--", "true")[1]) == (2, 2), "ignored")

        with shows("links out and folders that are not there are refused; sockets are named and left out"):
            odd = center.path("odd")
            write(odd + "/a", "x")
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(odd + "/sock")
            os.mkfifo(odd + "/pipe")
            _, said = jobs.submit(odd, *here, "--", "true")
            expect("not uploaded: pipe is no file" in said and "not uploaded: sock is no file" in said, said)
            for target in ("/etc/passwd", "../project", "a/../../x"):
                os.symlink(target, odd + "/out")
                _, said = jobs.submit(odd, *here, "--", "true", code=2)
                expect("B1310" in said and '"out"' in said, said)
                os.unlink(odd + "/out")
            result = center.try_berth("submit", "--project", "research", "--workdir", "nowhere", "--", "true", token=token,
                                      cwd=odd)
            expect(result.code == 2 and "B1310" in result.err and "absolute path" in result.err, str(result))

        with shows("`berth retry` with changed options keeps the folder and all else, and sent twice it starts one job"):
            job, _ = jobs.submit(project, *here, "--time", "1h", "--env", "WORD=one", "--", "sh", "-c",
                                 "./main.sh; echo $WORD; test $WORD = two")
            expect(center.try_berth("wait", str(job), token=token).code == 1, "it succeeded")
            again = ["retry", str(job), "--env", "WORD=two", "--time", "3m", "--parsable", "--idempotency-key", "again"]
            second, same = (int(center.berth(*again, token=token, cwd="/")) for _ in range(2))
            expect(second == same, "two jobs: %d and %d" % (second, same))
            expect(center.try_berth("wait", str(second), token=token).code == 0, "its options are the old ones")
            log = center.berth("logs", str(second), token=token)
            expect(": rank 0 in " in log and "\ntwo\n" in log, log)
            expect(center.job(second, token=token)["time_limit_seconds"] == 180, "another time limit")
            planned = center.try_berth("retry", str(job), "--devices", "4", "--plan", token=token)
            expect(planned.code == 0 and "4 devices" in planned.out, str(planned))
            refused = center.try_berth("retry", str(job), "--upload-max", "1GiB", token=token)
            expect(refused.code == 2 and "nothing is uploaded" in refused.err, str(refused))

        with shows("`berth show --spec` is a file that submits the same job again, its folder included"):
            text = center.berth("show", str(second), "--spec", token=token)
            write(project + "-job.json", text)
            third, said, log = jobs.run("/", project + "-job.json")
            expect("uploaded" not in said and ": rank 0 in " in log and "\ntwo\n" in log, said + log)
            expect(center.berth("show", str(third), "--spec", token=token) == text, "not the same again")
            fourth, _ = jobs.submit("/", project + "-job.json", "--env", "WORD=one")
            expect(center.try_berth("wait", str(fourth), token=token).code == 1, "the command line does not count")

        with shows("what is wrong in the scheduler's store never becomes a job's file: the node and the reason are told"):
            write(project + "/empty", "to be damaged\n")
            digest = hashlib.sha256(b"to be damaged\n").hexdigest()
            blocker = center.submit("--nodes", "2", "--devices", "4", "--", "sleep", "600", token=token)
            center.await_state(blocker, ["running"], 20, token=token)
            job, _ = jobs.submit(project, "--max-requeues", "0", "job.sh")
            damaged = [path for path in files_of_uploads(center) if path.endswith(digest)]
            expect(len(damaged) == 1, str(damaged))
            with open(damaged[0], "r+") as file:
                file.write("ATTACK")
            center.berth("cancel", str(blocker), token=token)
            center.try_berth("wait", str(job), token=token)
            end = center.job(job, token=token)["end"]
            expect(re.search(r"node node-\d refused: .*\"empty\" has another content", end["message"]), str(end))
            os.unlink(damaged[0])
            expect(uploaded(jobs.run(project, "job.sh")[1]) == (1, 8), "what is missing is sent again")

        with shows("a folder as it is after an upload: private to the scheduler, nothing in half"):
            for path in files_of_uploads(center):
                expect(not os.path.basename(path).startswith(".new-"), path)
                expect(os.stat(path).st_mode & 0o777 == 0o600, path)

        with shows("a folder with git's own rules: the same files as `git ls-files` names"):
            if shutil.which("git") is None:
                raise NotHere("no git")
            repo = center.path("repo")
            os.makedirs(repo)
            subprocess.run(["git", "init", "-q", repo], check=True, capture_output=True)
            write(repo + "/.gitignore", "# rules\n*.o\n!/keep.o\nbuild/\n/top\ndoc/*.txt\n**/cache/**\n!**/cache/.keep\na/**/z\n"
                  "[ab]?.c\n\\#hash\ntrail\\ \n")
            for name in ("x.o", "keep.o", "d/keep.o", "build/x", "d/build/x", "d/builds", "top", "d/top", "doc/a.txt",
                         "doc/d/a.txt", "cache/x", "d/cache/y", "cache/.keep", "a/z", "a/b/c/z", "a/y", "a1.c", "c1.c", "d/b2.c",
                         "#hash", "hash", "trail ", "trail", "d/.gitignore"):
                write(repo + "/" + name, "!*.o\n" if name.endswith("/.gitignore") else name)
            listed = subprocess.run(["git", "-C", repo, "ls-files", "-co", "--exclude-standard", "-z"], check=True,
                                    capture_output=True, text=True, env=dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null"))
            wanted = sorted(name for name in listed.stdout.split("\0") if name)
            _, _, log = jobs.run(repo, *here, "--", "find", ".", "-type", "f", "-printf", "%P\\n")
            expect(sorted(log.splitlines()) == wanted, "%s\ngit: %s" % (sorted(log.splitlines()), wanted))
    finish()


if __name__ == "__main__":
    main()
