#!/usr/bin/env python3
"""A job that was submitted with --stdin reads what `attach` and `run -i` pass in, whoever restarts meanwhile."""

import hashlib
import os
import re
import signal
import subprocess
import threading
import time

from center import BIN, Center, alive, expect, finish, shows, wait_until

ECHO = 'while read -r line; do echo "got $line"; done; echo over; exit 7'


class Client:
    """`berth` with an input that is open until it is ended."""

    def __init__(self, center, *arguments, token):
        self.process = subprocess.Popen([os.path.join(BIN, "berth"), *arguments], env=center.environment(token),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.err = b"", b""
        self.readers = [threading.Thread(target=self._read, args=names, daemon=True)
                        for names in (("stdout", "out"), ("stderr", "err"))]
        for reader in self.readers:
            reader.start()

    def _read(self, stream, kept):
        while data := os.read(getattr(self.process, stream).fileno(), 65536):
            setattr(self, kept, getattr(self, kept) + data)

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def await_out(self, text):
        wait_until(lambda: text in self.out, 20, "%r in %r; %r" % (text, self.out[-300:], self.err[-600:]))

    def await_err(self, text):
        wait_until(lambda: text in self.err, 20, "%r in %r" % (text, self.err[-600:]))

    def end(self, seconds=30):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(timeout=seconds)
        for reader in self.readers:
            reader.join(10)
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()


def start(center, token, *command, options=()):
    job = center.submit("--devices", "1", *options, "--", *command, token=token)
    center.await_state(job, ["running"], 20, token=token)
    return job


def basics(center, token):
    with shows("attach passes in what is typed, and its end; the exit code is the job's"):
        job = start(center, token, "sh", "-c", ECHO, options=["--stdin"])
        client = Client(center, "attach", str(job), token=token)
        client.say(b"one\n")
        client.await_out(b"got one\n")
        client.say(b"two\n")
        client.await_out(b"got two\n")
        expect(b"over" not in client.out, client.out)
        expect(client.end() == 7 and client.out.endswith(b"got two\nover\n"), (client.out, client.err))
    with shows("run -i passes everything in, unchanged"):
        data = os.urandom(3 << 20)
        client = Client(center, "run", "-i", "--", "md5sum", token=token)
        client.say(data)
        expect(client.end(60) == 0, (client.out, client.err))
        expect(client.out.split()[0].decode() == hashlib.md5(data).hexdigest(), client.out)
    with shows("a job that was submitted without it reads nothing, and attach says nothing of that"):
        job = start(center, token, "sh", "-c", "cat; echo over; sleep 2; exit 3")
        client = Client(center, "attach", str(job), token=token)
        client.say(b"nobody reads this\n")
        expect(client.end() == 3 and b"nobody" not in client.out and b"error" not in client.err, (client.out, client.err))
    with shows("show --spec and retry keep it; an array is not run with input"):
        spec = center.berth("show", str(job), "--spec", token=token)
        expect('"stdin"' not in spec, spec)
        job = start(center, token, "sh", "-c", ECHO, options=["-i"])
        expect('"stdin": true' in center.berth("show", str(job), "--spec", token=token), "not in the specification")
        expect(center.job(job, token=token)["spec"]["stdin"] is True, "not in show -o json")
        center.berth("cancel", "--now", str(job), token=token)
        center.await_state(job, ["cancelled"], 20, token=token)
        again = int(center.berth("retry", "--parsable", str(job), token=token))
        center.await_state(again, ["running"], 20, token=token)
        client = Client(center, "attach", str(again), token=token)
        client.say(b"again\n")
        expect(client.end() == 7 and b"got again\n" in client.out, (client.out, client.err))
        result = center.try_berth("run", "--stdin", "--array", "0-1", "--", "cat", token=token)
        expect(result.code == 2 and "standard input of its own" in result.err, str(result))


def several(center, token):
    with shows("who leaves ends nothing, --no-stdin passes nothing, and several may write"):
        job = start(center, token, "sh", "-c", ECHO, options=["--stdin"])
        gone = Client(center, "attach", str(job), token=token)
        gone.say(b"one\n")
        gone.await_out(b"got one\n")
        gone.kill()
        watcher = Client(center, "attach", "--no-stdin", str(job), token=token)
        watcher.process.stdin.close()
        writers = [Client(center, "attach", str(job), token=token) for _ in range(2)]
        for name, writer in zip((b"two", b"three"), writers):
            writer.say(name + b"\n")
            watcher.await_out(b"got " + name + b"\n")
        time.sleep(0.5)
        expect(b"over" not in watcher.out, watcher.out)
    with shows("the end of one's input is the job's, and who writes after it is told"):
        keeps = start(center, token, "sh", "-c", "while read -r line; do :; done; echo over; sleep 300", options=["--stdin"])
        first, second = (Client(center, "attach", str(keeps), token=token) for _ in range(2))
        second.say(b"x\n")
        first.process.stdin.close()
        second.await_out(b"over\n")
        time.sleep(1)
        for _ in range(20):
            second.say(b"too late\n")
            time.sleep(0.05)
        second.await_err(b"error[B4306]")
        late = Client(center, "attach", str(keeps), token=token)
        late.await_err(b"it was ended")
        for client in (first, second, late):
            client.kill()
        center.berth("cancel", "--now", str(keeps), token=token)
    with shows("a job that another user of the tenant watches gets nothing from there"):
        center.berth("user", "add", "chief", "--tenant", "acme", "--role", "tenant-admin")
        chief = Client(center, "attach", str(job), token=center.create_token("acme", "chief"))
        chief.say(b"not mine\n")
        chief.await_err(b"error[B4306]")
        chief.process.stdin.close()
        time.sleep(0.5)
        expect(b"over" not in watcher.out and b"not mine" not in watcher.out, watcher.out)
        chief.kill()
    expect(writers[0].end() == 7 and watcher.end() == 7 and writers[1].end() == 7, "another exit code")


def pressure(center, token):
    with shows("a job that does not read holds its writer back, and nothing else"):
        job = start(center, token, "sleep", "300", options=["--stdin"])
        client = Client(center, "attach", str(job), token=token)
        os.set_blocking(client.process.stdin.fileno(), False)
        taken, last = 0, time.monotonic()
        while time.monotonic() - last < 2 and taken < 64 << 20:
            try:
                written = os.write(client.process.stdin.fileno(), b"x" * 65536)
            except BlockingIOError:
                time.sleep(0.02)
                continue
            taken += written
            last = time.monotonic()
        expect(taken < 16 << 20, "%d bytes were taken" % taken)
        print("  %.1f MiB are in flight" % (taken / (1 << 20)))
        began = time.monotonic()
        expect(center.try_berth("exec", str(job), "--", "true", token=token).code == 0, "exec")
        expect(time.monotonic() - began < 5, "exec took %.1f s" % (time.monotonic() - began))
        expect(center.items("nodes")[0]["state"] == "ready", "the node")
        center.berth("cancel", "--now", str(job), token=token)
        expect(client.process.wait(timeout=20) == 121, client.err)


def crowd(center, token):
    with shows("a tenant that has all its ways into a node's jobs takes no other tenant's"):
        other = center.add_tenant("globex", 1, 1)
        job = start(center, token, "sh", "-c", ECHO, options=["--stdin"])
        theirs = start(center, other, "sleep", "300")
        clients = [Client(center, "attach", str(job), token=token) for _ in range(64)]
        wait_until(lambda: center.try_berth("exec", str(job), "--", "true", token=token).code != 0, 20, "no more may be had")
        result = center.try_berth("exec", str(theirs), "--", "echo", "in", token=other)
        expect((result.code, result.out) == (0, "in\n"), str(result))
        for client in clients:
            client.kill()
        center.berth("cancel", "--now", str(job), str(theirs))


def shim_of(center, job):
    """Its init, a child of it, is in the same folder."""
    folder, parents = center.path("agent-1", "jobs", str(job), "0"), {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/cwd" % name) == folder:
                with open("/proc/%s/stat" % name) as file:
                    parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    shims = [pid for pid, parent in parents.items() if parent not in parents]
    expect(len(shims) == 1, "a shim of job %d: %s" % (job, parents))
    return shims[0]


def stuck(center, token):
    with shows("a supervisor that does not answer holds up who attaches for some seconds, and the agent not at all"):
        job = start(center, token, "sh", "-c", ECHO, options=["--stdin"])
        shim = shim_of(center, job)
        os.kill(shim, signal.SIGSTOP)
        try:
            # More than its socket lets wait.
            clients = [Client(center, "attach", str(job), token=token) for _ in range(12)]
            for client in clients:
                client.await_err(b"error[B4306]")
                client.kill()
            agent = center.pid("agent-1")
            os.kill(agent, signal.SIGTERM)
            wait_until(lambda: not alive(agent), 5, "the agent has ended")
        finally:
            os.kill(shim, signal.SIGCONT)
        center.up()
        wait_until(lambda: center.try_berth("exec", str(job), "--", "true", token=token).code == 0, 30, "a way in")
        client = Client(center, "attach", str(job), token=token)
        client.say(b"one\n")
        expect(client.end() == 7 and client.out == b"got one\nover\n", (client.out, client.err))


def survival(center, token):
    with shows("the input outlives agent and scheduler: attach again, and go on"):
        job = start(center, token, "sh", "-c", ECHO, options=["--stdin"])
        client = Client(center, "attach", str(job), token=token)
        client.say(b"one\n")
        client.await_out(b"got one\n")
        center.kill("agent-1")
        client.await_err(b"error[B4306]")
        center.up()
        client.kill()
        wait_until(lambda: center.try_berth("exec", str(job), "--", "true", token=token).code == 0, 30, "a way in")
        client = Client(center, "attach", str(job), token=token)
        client.say(b"two\n")
        client.await_out(b"got two\n")
        center.kill("berthd")
        client.await_err(b"error[B4306]")
        center.up()
        wait_until(lambda: center.try_berth("exec", str(job), "--", "true", token=token).code == 0, 30, "a way in")
        last = Client(center, "attach", str(job), token=token)
        last.say(b"three\n")
        expect(last.end() == 7 and last.out.endswith(b"got three\nover\n"), (last.out, last.err))
        expect(client.end() == 7 and client.out.endswith(b"got three\nover\n"), (client.out, client.err))
    with shows("the next attempt has an input of its own"):
        job = start(center, token, "sh", "-c", ECHO, options=["--stdin"])
        client = Client(center, "attach", str(job), token=token)
        client.say(b"one\n")
        client.await_out(b"got one\n")
        client.kill()
        center.berth("requeue", str(job), token=token)
        wait_until(lambda: center.job(job, token=token)["attempt"] == 1, 30, "the next attempt")
        center.await_state(job, ["running"], 20, token=token)
        client = Client(center, "attach", str(job), token=token)
        client.say(b"two\n")
        expect(client.end() == 7 and client.out.endswith(b"got two\nover\n"), (client.out, client.err))


def gang(center, token):
    with shows("of a gang rank 0 alone reads; no process has another job's input open"):
        job = start(center, token, "sh", "-c", 'readlink /proc/$$/fd/0; sed "s/^/rank $NODE_RANK: /"; sleep 300',
                    options=["--nodes", "2", "--stdin"])
        pipe = re.match(r"pipe:\[\d+\]", center.await_log(job, "^pipe:", 20, token=token)).group()
        other = start(center, token, "sh", "-c", "ls -l /proc/self/fd /proc/1/fd; sleep 300", options=["--stdin"])
        client = Client(center, "attach", str(job), token=token)
        client.say(b"hello\n")
        client.process.stdin.close()
        client.await_out(b"rank 0: hello\n")
        log = center.berth("logs", str(job), "--rank", "1", token=token)
        expect(log == "/dev/null\n", log)
        log = center.await_log(other, "self/fd:\n(.*\n){5}", 20, token=token)
        expect("-> pipe:" in log and pipe not in log, log)
        center.berth("cancel", "--now", str(job), str(other), token=token)
        client.kill()


def main():
    is_root = os.geteuid() == 0
    with Center("--nodes", "1", "--devices", "8", "--isolation", "allow" if is_root else "off") as center:
        token = center.add_tenant("acme", 7, 8)
        basics(center, token)
        several(center, token)
        pressure(center, token)
        stuck(center, token)
        crowd(center, token)
        survival(center, token)
    with Center("--nodes", "2", "--devices", "2", "--isolation", "off") as center:
        token = center.add_tenant("acme", 4, 4)
        gang(center, token)
    finish()


if __name__ == "__main__":
    main()
