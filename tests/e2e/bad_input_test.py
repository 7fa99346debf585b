#!/usr/bin/env python3
"""Whatever is wrong with the input, the error is clear, the exit code right, and nothing is lost."""

import os
import socket
import subprocess
import time

from center import BIN, CLASS, Center, expect, finish, shows, skip, wait_until

USAGE, NOT_FOUND, ENTITLEMENT, UNREACHABLE = 2, 3, 6, 7


def expect_error(result, codes, says=""):
    expect(result.code in codes, "expected exit %s: %s" % (codes, result))
    expect(result.out == "", "something on stdout: %s" % result)
    expect(result.err.startswith("error"), "no error: %s" % result)
    expect("Traceback" not in result.err and "terminate called" not in result.err, str(result))
    expect(says.lower() in result.err.lower(), "does not say %r: %s" % (says, result))


def write(center, name, content):
    path = center.path(name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def job_count(center, token):
    return len(center.items("ps", "-a", token=token))


def check_scripts(center, token):
    scripts = {
        "empty": b"",
        "huge": b"#!/bin/sh\n" + b"#" * (2 << 20),
        "with NUL bytes": b"#!/bin/sh\necho \0 x\n",
        "with an unknown directive": b"#!/bin/sh\n#BERTH --devcies 4\ntrue\n",
        "with a directive without its value": b"#!/bin/sh\n#BERTH --nodes\ntrue\n",
        "with an open quote": b"#!/bin/sh\n#BERTH --name \"open\ntrue\n",
        "with a negative count": b"#!/bin/sh\n#BERTH --nodes -1\ntrue\n",
    }
    for name, content in scripts.items():
        with shows("a script %s: exit 2" % name):
            path = write(center, "script.sh", content)
            expect_error(center.try_berth("submit", "--project", "research", path, token=token), [USAGE])
    with shows("an unknown directive is named with file, line and the nearest known one"):
        path = write(center, "script.sh", scripts["with an unknown directive"])
        result = center.try_berth("submit", path, token=token)
        expect("script.sh:2:" in result.err and "--devices" in result.err, str(result))
    with shows("a folder or a missing file as script: exit 2 or 3"):
        for path in (center.dir, center.path("missing.sh")):
            expect_error(center.try_berth("submit", path, token=token), [USAGE, NOT_FOUND])


def check_options(center, token):
    bad = [["--nodes", "0"], ["--nodes", "-1"], ["--nodes", "4097"], ["--nodes", "1e9"], ["--nodes", "2147483648"],
           ["--nodes", "99999999999999999999"], ["--nodes", "two"], ["--nodes", ""], ["--devices", "-1"],
           ["--devices", "65"], ["--devices", "NaN"], ["--time", "-5m"], ["--time", "soon"], ["--time", "0s"],
           ["--time", "99999999h"], ["--grace", "-1s"], ["--time", "1m", "--grace", "2m"], ["--priority", "1001"],
           ["--memory", "-1GiB"], ["--memory", "lots"], ["--env", "=x"], ["--env", "A B=x"], ["--env", "BERTH_X=1"],
           ["--launch", "sideways"], ["--requeue", "always"], ["--name", "a\x1b[31mb"], ["--name", "a\nb"],
           ["--name", "n" * 129], ["--no-such-option"], ["--node", "2"], ["--workdir", "a\x01b"],
           ["--stop-signal", "SIGWHAT"], ["--class", "No Such"], ["--label", "novalue"]]
    before = job_count(center, token)
    for options in bad:
        shown = " ".join(repr(word)[1:-1][:24] for word in options)
        with shows("submit %s: exit 2" % shown):
            expect_error(center.try_berth("submit", "--project", "research", *options, "--", "true", token=token),
                         [USAGE])
    with shows("a missing command: exit 2"):
        expect_error(center.try_berth("submit", "--project", "research", token=token), [USAGE])
        expect_error(center.try_berth("submit", "--project", "research", "--", token=token), [USAGE])
        expect_error(center.try_berth("run", token=token), [USAGE])
    with shows("an unknown command names the nearest: exit 2"):
        expect_error(center.try_berth("sumbit", token=token), [USAGE], "submit")
    with shows("malformed job ids: exit 2; unknown ones: exit 3"):
        for text in ("abc", "-1", "1e3", "99999999999999999999", "0"):
            result = center.try_berth("show", text, token=token)
            expect(result.code in (USAGE, NOT_FOUND) and result.err.startswith("error"), str(result))
        expect_error(center.try_berth("show", "123456789", token=token), [NOT_FOUND])
    with shows("an unknown project: exit 2 or 3, named"):
        expect_error(center.try_berth("submit", "--project", "nosuch", "--", "true", token=token),
                     [USAGE, NOT_FOUND], "nosuch")
    with shows("a node or a label that nobody has: exit 3 with the nearest, exit 6 with the label"):
        submit = lambda *options: center.try_berth("submit", "--project", "research", *options, "--", "true",
                                                   token=token)
        for options in ([], ["--plan"]):
            expect_error(submit("--exclude", "node-1,nod-1", *options), [NOT_FOUND], "did you mean \"node-1\"?")
        expect_error(submit("--label", "zone=nowhere"), [ENTITLEMENT], "no node has the label zone=nowhere")
    with shows("sizes beyond all bounds are told in the units that they are written in: exit 2"):
        for options in (["--memory", "1025TiB"], ["--disk", "1025TiB"]):
            expect_error(submit(*options), [USAGE], "the most is 1024 TiB")
    with shows("a class that does not exist, and more devices than a node has: exit 6 with the bound"):
        for options in (["--class", "no-such-class"], ["--devices", "64"]):
            expect_error(center.try_berth("submit", "--project", "research", *options, "--", "true", token=token),
                         [ENTITLEMENT])
    with shows("of all these nothing was queued, and the scheduler goes on"):
        expect(job_count(center, token) == before, "jobs appeared")
        job = center.submit("--name", "$(reboot); '\" -- %s \u4f60\u597d", "--", "printf", "%s", "; $(id) `id`",
                            token=token)
        expect(center.try_berth("wait", str(job), token=token).code == 0, "the job with odd characters failed")
        expect(center.berth("logs", str(job), token=token) == "; $(id) `id`", "the argument was changed")


def check_quotas(center):
    """Of a center with one node of 8 devices, all of them acme's, who may not hold more."""
    before = center.items("quota", "acme")
    refused = {
        "an entitlement above the limit": (["--entitlement", "9"], "entitlement 9 is above the limit 8"),
        "more kept back than owned": (["--non-lendable", "9"], "part 9 is above the entitlement 8"),
        "more than the center has": (["--entitlement", "9", "--limit", "9"],
                                     "would become 9 of 8 devices"),
        "more blocks than there are": (["--block-level", "node", "--blocks", "2"],
                                       "of 2 in all the center can give 1"),
        "a project that owns more than its tenant": (["--project", "research", "--entitlement", "9"],
                                                     "would own 9 of"),
        "blocks of a project": (["--project", "research", "--entitlement", "8", "--block-level", "node", "--blocks", "1"],
                                "a project cannot be owed"),
    }
    for name, (options, says) in refused.items():
        with shows("a quota is refused with its numbers: %s" % name):
            expect_error(center.try_berth("quota", "set", "acme", "--class", CLASS, *options), [USAGE], says)
    with shows("a quota is refused with its numbers: more devices in the blocks than the tenant owns"):
        owns_less = ["--entitlement", "7", "--block-level", "node", "--blocks", "1"]
        expect_error(center.try_berth("quota", "set", "acme", "--class", CLASS, *owns_less), [USAGE],
                     "8 devices of %s at least, above the entitlement 7" % CLASS)
    with shows("a quota of a class that no node has is refused with those there are"):
        expect_error(center.try_berth("quota", "set", "acme", "--class", "h900", "--entitlement", "1"), [USAGE],
                     "known classes: %s" % CLASS)
    with shows("what was refused has changed nothing"):
        expect(center.items("quota", "acme") == before, str(center.items("quota", "acme")))


def check_launch_errors(center, token):
    with shows("a command that is not there ends with 127, one that cannot be executed with 126"):
        missing = center.submit("--", "/no/such/program", token=token)
        expect(center.try_berth("wait", str(missing), token=token).code == 127, str(center.job(missing)))
        plain = write(center, "plain", b"no program")
        os.chmod(plain, 0o644)
        plain_job = center.submit("--", plain, token=token)
        expect(center.try_berth("wait", str(plain_job), token=token).code == 126, str(center.job(plain_job)))
    with shows("run passes the job's output and exit code through"):
        result = center.try_berth("run", "--project", "research", "--", "sh", "-c", "echo out; exit 42", token=token)
        expect(result.code == 42 and result.out == "out\n", str(result))


def check_unreachable(center, token):
    with shows("an unreachable server: exit 7 within 20 s, with what to do"):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            environment = dict(center.environment(token), BERTH_SERVER="127.0.0.1:%d" % unused.getsockname()[1])
            since = time.monotonic()
            for arguments in (["ps"], ["submit", "--project", "research", "--", "true"]):
                expect_error(center.try_berth(*arguments, env=environment), [UNREACHABLE], "cannot reach")
            expect(time.monotonic() - since < 40, "it took %.0f s" % (time.monotonic() - since))
    with shows("a server that answers something else: exit 7"):
        with socket.create_server(("127.0.0.1", 0)) as other:
            child = os.fork()
            if child == 0:
                while True:
                    peer, _ = other.accept()
                    peer.sendall(b"HTTP/1.1 400 go away\r\n\r\n")
                    peer.close()
            try:
                environment = dict(center.environment(token),
                                   BERTH_SERVER="127.0.0.1:%d" % other.getsockname()[1])
                expect_error(center.try_berth("ps", env=environment), [UNREACHABLE])
            finally:
                os.kill(child, 9)
                os.waitpid(child, 0)


def check_configurations(center):
    cases = {b"listen = 5\n": "listen", b"lissten = \"127.0.0.1:0\"\n": "listen", b"listen = \"x\n": ":1:",
             b"listen = \"0.0.0.0:0\"\ndata_dir = \"/tmp/x\"\n": "tls",
             b"listen = \"127.0.0.1:99999\"\ndata_dir = \"/tmp/x\"\n": "from 0 to 65535",
             b"data_dir = \"/tmp/x\"\n[nodes]\nlost_after = \"1s\"\n": "lost_after"}

    def check(program, content):
        path = write(center, "bad.toml", content)
        return subprocess.run([os.path.join(BIN, program), "--config", path, "--check-config"], capture_output=True,
                              text=True, timeout=20)

    for content, says in cases.items():
        with shows("berthd refuses the configuration %s: exit 2" % content.decode().split("\n")[0]):
            done = check("berthd", content)
            expect(done.returncode == USAGE and says in done.stderr, "%d %s" % (done.returncode, done.stderr))
    with shows("berth-agent refuses an address that nobody can dial: exit 2"):
        keys = "node = \"n1\"\ntoken_file = \"/tmp/x\"\nserver = \"%s\"\n"
        for server, says in (("127.0.0.1:99999", "3:1: \"server\": \"127.0.0.1:99999\": a port is a number from 1"),
                             ("127.0.0.1:0", "a port is a number"), ("127.0.0.300:1", "neither a name nor an address")):
            done = check("berth-agent", (keys % server).encode())
            expect(done.returncode == USAGE and says in done.stderr, "%d %s" % (done.returncode, done.stderr))
        done = check("berth-agent", (keys % "127.0.0.1:7443").encode())
        expect(done.returncode == 0, "%d %s" % (done.returncode, done.stderr))
    with shows("an unknown option of any program: exit 2"):
        for program in ("berthd", "berth-agent", "berth-shim", "berth-sim", "berth-bench", "berth"):
            path = os.path.join(BIN, program)
            done = subprocess.run([path, "--no-such-option"], capture_output=True, text=True, timeout=20)
            expect(done.returncode == USAGE and done.stderr, "%s: %d" % (program, done.returncode))
    with shows("a second scheduler on the same database is refused"):
        path = write(center, "second.toml", b"data_dir = \"%s\"\n" % center.path("data").encode())
        done = subprocess.run([os.path.join(BIN, "berthd"), "--config", path], capture_output=True, text=True,
                              timeout=20)
        expect(done.returncode not in (0, -6), "%d %s" % (done.returncode, done.stderr))
        expect(center.try_berth("nodes").code == 0, "the first one suffers")


def submit_until_full(center, token, acknowledged):
    """Keeps submitting large scripts; returns the first refusal."""
    filler = write(center, "large.sh", b"#!/bin/sh\n" + b"# filler\n" * 60000)
    for index in range(200):
        result = center.try_berth("submit", "--parsable", "--hold", "--project", "research", "--name",
                                  "full-%d" % index, "--timeout", "2s", filler, token=token)
        if result.code != 0:
            return result
        acknowledged["full-%d" % index] = int(result.out)
    return None


def check_full_disk():
    what = "a full disk under the database: a clear refusal, and no acknowledged job is lost"
    center = Center("--nodes", "1", "--devices", "4")
    os.makedirs(center.path("data"), mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "none", center.path("data")],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        center.__exit__()
        skip(what, "a small file system cannot be mounted here: " + mounted.stderr.strip())
        return
    with center, shows(what):
        token = center.add_tenant("acme", 4, 4)
        running = center.submit("--", "sleep", "3", token=token)
        center.await_state(running, ["running"], 20, token=token)
        acknowledged = {}
        refused = submit_until_full(center, token, acknowledged)
        expect(refused is not None, "64 MiB took 200 jobs of 0.5 MiB")
        expect_error(refused, [1, UNREACHABLE])
        print("  after %d jobs: %s" % (len(acknowledged), refused.err.split("\n")[0]))
        subprocess.run(["mount", "-o", "remount,size=256m", center.path("data")], check=True)
        again = wait_until(lambda: (lambda result: result if result.code == 0 else None)(center.try_berth(
            "submit", "--parsable", "--hold", "--project", "research", "--name", "again", "--", "true",
            token=token)), 30, "a submission is accepted again, without a restart")
        acknowledged["again"] = int(again.out)
        center.kill("berthd")
        center.up()
        jobs = {job["name"]: job["id"] for job in center.items("ps", "-a", token=token)}
        lost = [name for name, job in acknowledged.items() if jobs.get(name) != job]
        expect(not lost, "lost: %s" % lost)
        waited = center.try_berth("wait", str(running), token=token)
        expect(waited.code == 0, "the job that ran meanwhile: %s" % waited)


def main():
    with Center("--nodes", "1", "--devices", "8") as center:
        token = center.add_tenant("acme", 8, 8)
        check_scripts(center, token)
        check_options(center, token)
        check_quotas(center)
        check_launch_errors(center, token)
        check_unreachable(center, token)
        check_configurations(center)
    check_full_disk()
    finish()


if __name__ == "__main__":
    main()
