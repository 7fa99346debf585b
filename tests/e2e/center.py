"""What the end-to-end tests share: a center of the shipped programs, and one line of verdict per thing shown."""

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BERTH_BIN", os.path.join(ROOT, "build", "bin"))
TRAINING = os.path.join(ROOT, "deploy", "examples", "train_iris")
CLASS = "sim-a100-80g"

_failures = 0


class NotHere(Exception):
    """This machine lacks what it takes to show it."""


@contextlib.contextmanager
def shows(what):
    """PASS what, FAIL what with the reason, or SKIP it."""
    global _failures
    try:
        yield
        print("PASS " + what, flush=True)
    except NotHere as why:
        skip(what, why)
    except Exception as error:  # any surprise is a failure of what was to be shown
        _failures += 1
        if not isinstance(error, AssertionError):
            traceback.print_exc()
        print("FAIL %s: %s" % (what, error), flush=True)


def skip(what, why):
    print("SKIP %s: %s" % (what, why), flush=True)


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def wait_until(condition, seconds, what, pause=0.05):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(pause)


def mount_small_disk(center, agent, mib, *options):
    """The data folder of one agent becomes a disk of its own, whose image is disk.img."""
    image, folder = center.path("disk.img"), center.path(agent)
    os.makedirs(folder)
    with open(image, "wb") as file:
        file.truncate(mib << 20)
    for command in (["mkfs.ext4", "-q", "-m", "0", *options, image], ["mount", "-o", "loop", image, folder]):
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise NotHere(str(error)) from None
        if done.returncode != 0:
            raise NotHere("%s: %s" % (command[0], done.stderr.strip()))
    return folder


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Result:
    def __init__(self, arguments, process):
        self.arguments = arguments
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def __str__(self):
        return "berth %s: exit %d\n%s%s" % (" ".join(self.arguments)[:300], self.code, self.out[-1500:],
                                            self.err[-1500:])


class Center:
    """One dev-cluster in a folder of its own; everything of it is gone at the end of the `with`."""

    def __init__(self, *options):
        self.dir = tempfile.mkdtemp(prefix="berth-e2e-")
        self.options = options

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run([self._script(), "down", "--dir", self.dir], capture_output=True)
        subprocess.run(["umount", "-l", self.path("data")], capture_output=True)
        if _failures and os.environ.get("BERTH_KEEP"):
            print("kept: " + self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def _script():
        return os.path.join(ROOT, "deploy", "dev-cluster.sh")

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def up(self):
        done = subprocess.run([self._script(), "up", "--dir", self.dir, *self.options],
                              capture_output=True, text=True)
        expect(done.returncode == 0, "dev-cluster.sh up: " + done.stdout + done.stderr)

    def down(self):
        done = subprocess.run([self._script(), "down", "--dir", self.dir], capture_output=True, text=True)
        expect(done.returncode == 0, "dev-cluster.sh down: " + done.stdout + done.stderr)

    def pid(self, name):
        with open(self.path(name + ".pid")) as file:
            return int(file.read())

    def kill(self, name):
        """kill -9 of one daemon; returns when it is gone."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), 10, name + " is dead")

    def start_agent(self, name):
        """With its configuration as it is; does not wait until its node is ready."""
        with open(self.path(name + ".log"), "ab") as log:
            process = subprocess.Popen([os.path.join(BIN, "berth-agent"), "--config", self.path(name + ".toml")],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        with open(self.path(name + ".pid"), "w") as file:
            file.write("%d\n" % process.pid)
        return process

    def groups(self, name="*"):
        """Control groups of this center's agents, "" for their own, with a pattern those of their tasks."""
        tags = [hashlib.sha256(folder.encode()).hexdigest()[:12] for folder in glob.glob(self.path("agent-*[0-9]"))]
        return [path for tag in tags
                for path in glob.glob("/sys/fs/cgroup/**/berth-%s/%s" % (tag, name), recursive=True) if os.path.isdir(path)]

    def environment(self, token=None):
        with open(self.path("address")) as file:
            server = file.read().strip()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("BERTH_")}
        return dict(clean, BERTH_SERVER=server, BERTH_TOKEN_FILE=token or self.path("operator.token"),
                    BERTH_CONFIG="/dev/null", NO_COLOR="1")

    def try_berth(self, *arguments, token=None, cwd=None, env=None, timeout=120):
        process = subprocess.run([os.path.join(BIN, "berth"), *arguments], capture_output=True, text=True,
                                 errors="replace", cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL,
                                 env=env or self.environment(token))
        return Result(arguments, process)

    def berth(self, *arguments, **options):
        result = self.try_berth(*arguments, **options)
        expect(result.code == 0, str(result))
        return result.out

    def items(self, *arguments, **options):
        return json.loads(self.berth(*arguments, "-o", "json", **options))["items"]

    def job(self, job_id, **options):
        return self.items("show", str(job_id), **options)[0]

    def add_tenant(self, name, entitlement, limit):
        """A tenant with a project, a member and a quota; returns the file with the member's token."""
        self.berth("tenant", "add", name)
        self.berth("project", "add", "research", "--tenant", name)
        self.berth("user", "add", name + "-user", "--tenant", name)
        self.berth("quota", "set", name, "--class", CLASS, "--entitlement", str(entitlement),
                   "--limit", str(limit))
        return self.create_token(name, name + "-user")

    def create_token(self, tenant, user):
        out = self.berth("token", "create", "--tenant", tenant, "--user", user)
        token = re.search(r"brth_\w+", out)
        expect(token, "no token in: " + out)
        path = self.path("%s-%s.token" % (tenant, user))
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(token.group() + "\n")
        return path

    def submit(self, *arguments, token=None, **options):
        out = self.berth("submit", "--parsable", "--project", "research", *arguments, token=token, **options)
        expect(re.fullmatch(r"[0-9]+\n", out), "not an id alone: %r" % out)
        return int(out)

    def submit_training(self, token, *options, arguments=()):
        return self.submit("train.sh", *options, "--", *arguments, token=token, cwd=TRAINING)

    def await_state(self, job_id, states, seconds, **options):
        last = {}

        def arrived():
            last.update(self.job(job_id, **options))
            return last if last["state"] in states else None

        try:
            return wait_until(arrived, seconds, "job %d is %s" % (job_id, "/".join(states)))
        except AssertionError as error:
            raise AssertionError("%s; it is %s" % (error, json.dumps(last)[:1500])) from None

    def await_log(self, job_id, pattern, seconds, token=None):
        def matches():
            result = self.try_berth("logs", str(job_id), token=token)
            return result.out if result.code == 0 and re.search(pattern, result.out) else None
        return wait_until(matches, seconds, "%r in the log of job %d" % (pattern, job_id))


def losses(log):
    return [float(loss) for loss in re.findall(r"^epoch +\d+/\d+ +loss ([0-9.]+)", log, re.M)]


def expect_falling(log):
    values = losses(log)
    expect(len(values) >= 10, "only %d epochs in the log" % len(values))
    expect(values[-1] < 0.25 * values[0], "the loss went from %f to %f only" % (values[0], values[-1]))


def finish():
    sys.exit(1 if _failures else 0)
