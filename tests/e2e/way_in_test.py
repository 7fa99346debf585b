#!/usr/bin/env python3
"""People get inside their running jobs: exec, shell, attach, forward, cp and rsh; nobody else does, and nothing stays."""

import fcntl
import glob
import hashlib
import io
import os
import pty
import re
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import tarfile
import termios
import threading
import time

from center import BIN, Center, alive, expect, finish, shows, wait_until

BERTH = os.path.join(BIN, "berth")
MARK = "way-in-%d" % os.getpid()
SERVER = r"""
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
socketserver.ThreadingTCPServer.allow_reuse_address = True
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo)
print("port %d" % server.server_address[1], flush=True)
server.serve_forever()
"""


class Inside(Center):
    def run_in(self, job, *command, token, options=(), **rest):
        return self.try_berth("exec", *options, str(job), "--", *command, token=token, **rest)

    def start(self, *arguments, token, **options):
        return subprocess.Popen([os.path.join(BIN, "berth"), *arguments], env=self.environment(token),
                                stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)


def parent(pid):
    with open("/proc/%d/stat" % pid) as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


def pids_with(text, shims=False):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        # Neither the client that asked for it nor the guard, which has the command on its line too.
        others = (b"berth",) if shims else (b"berth", b"berth-shim")
        if text.encode() in words and not words[0].endswith(others) and alive(int(name)):
            found.append(int(name))
    return found


def start_sleeper(center, job, token, seconds):
    """A client whose command and whose command's stray child can be found on the node by their seconds."""
    client = center.start("exec", str(job), "--", "sh", "-c",
                          "setsid sleep %d & sleep %d" % (seconds, seconds), token=token)
    wait_until(lambda: len(pids_with(str(seconds))) == 2, 10, "the command runs")
    return client


def basics(center, token, job, isolated):
    with shows("exec brings output, errors and the exit code"):
        result = center.run_in(job, "sh", "-c", "echo out; echo err >&2; exit 7", token=token)
        expect((result.code, result.out, result.err) == (7, "out\n", "err\n"), str(result))
        result = center.run_in(job, "sh", "-c", "kill -9 $$", token=token)
        expect(result.code == 137, str(result))
        result = center.run_in(job, "no-such-command", token=token)
        expect(result.code == 127 and "error[B4305]" in result.err, str(result))
        result = center.run_in(job, "/etc/passwd", token=token)
        expect(result.code == 126 and "error[B4305]" in result.err, str(result))
    with shows("exec has the environment and the folder of the job's rank"):
        result = center.run_in(job, "sh", "-c", 'echo $BERTH_JOB_ID $BERTH_TENANT ${CUDA_VISIBLE_DEVICES+set}; pwd',
                               token=token)
        expect(result.out.startswith("%d acme " % job) and "/work\n" in result.out, str(result))
    with shows("exec passes its input on, to the end"):
        process = center.start("exec", "-i", str(job), "--", "md5sum", token=token, stdin=subprocess.PIPE)
        out, _ = process.communicate(b"x" * 300000, timeout=30)
        expect(out.decode().split()[0] == hashlib.md5(b"x" * 300000).hexdigest(), out)
        result = center.run_in(job, "cat", token=token)
        expect(result.code == 0 and result.out == "", "without -i there is no input: " + str(result))
    if not isolated:
        return
    with shows("exec sees the job's processes only, as its user, without capabilities, behind the filter"):
        result = center.run_in(job, "sh", "-c", "ls -d /proc/[0-9]* | wc -l; id -u; cat /proc/self/status", token=token)
        lines = result.out.split("\n")
        expect(int(lines[0]) < 12 and int(lines[1]) >= 1000, str(result))
        for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
            expect(line in lines, line + " is missing: " + result.out)
        result = center.run_in(job, "sh", "-c", "echo hi > /dev/stdout; mount -t tmpfs none /mnt || echo refused; "
                               "unshare -U true || echo refused; cat /proc/1/environ || echo refused", token=token)
        expect(result.out.startswith("hi\n") and result.out.count("refused") == 3, str(result))
        names = "mnt ipc uts pid cgroup net"
        same = "for n in %s; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup" % names
        # Pid 2 is the rank's own process.
        result = center.run_in(job, "sh", "-c", "{ %s; } > a; { %s; } > b; cmp a b" %
                               (same, same.replace("self", "2")), token=token)
        expect(result.code == 0, "other namespaces or groups than the job's: " + str(result))


def terminal(center, token, job):
    with shows("a terminal: its name, its size, a new size, Ctrl-C, and the end of input"):
        pid, master = pty.fork()
        if pid == 0:
            os.execve(os.path.join(BIN, "berth"), ["berth", "exec", "-it", str(job), "--", "sh"],
                      center.environment(token) | {"TERM": "xterm-256color"})
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        os.kill(pid, signal.SIGWINCH)
        seen = b""

        def say(text, pattern):
            nonlocal seen
            seen = b""
            os.write(master, text)
            deadline = time.monotonic() + 15
            while not re.search(pattern, seen):
                expect(time.monotonic() < deadline, "no %r in %r" % (pattern, seen))
                if select.select([master], [], [], 0.2)[0]:
                    seen += os.read(master, 65536)

        say(b"echo tty is $(tty) term $TERM\n", rb"tty is /dev/pts/\d+ term xterm-256color\r\n")
        until = b'until [ "$(stty size)" = "%s" ]; do sleep 0.02; done; echo size $((%d))\n'
        say(until % (b"33 111", 10), rb"size 10\r\n")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
        os.kill(pid, signal.SIGWINCH)
        say(until % (b"50 100", 20), rb"size 20\r\n")
        # Said by what the terminal's signal is for: a shell that gets it between two commands may go on with the second.
        say(b"sh -c 'echo down $((30)); exec sleep 1000'\n", rb"down 30\r\n")
        say(b"\x03", rb"\^C")
        say(b"echo back $((40 + 2))\n", rb"back 42\r\n")
        os.write(master, b"exit 9\n")
        expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9, "not the shell's code")
    with shows("shell runs one in the job"):
        process = center.start("shell", str(job), token=token, stdin=subprocess.PIPE)
        out, err = process.communicate(b"echo sum $((40 + 2))\nexit 5\n", timeout=30)
        expect(process.returncode == 5 and b"sum 42" in out, (process.returncode, out, err))


def endings(center, token, job):
    with shows("a killed client leaves no process, not even a stray one"):
        client = start_sleeper(center, job, token, 86001)
        client.kill()
        client.wait()
        wait_until(lambda: not pids_with("86001"), 10, "its processes are gone")
    with shows("Ctrl-C ends the command"):
        client = start_sleeper(center, job, token, 86002)
        client.send_signal(signal.SIGINT)
        code = client.wait(timeout=10)
        expect(code in (130, 0, 137), "exit code %d" % code)
        wait_until(lambda: not pids_with("86002"), 10, "its processes are gone")
    with shows("a command that does not read its input ends with its client, too"):
        client = center.start("exec", "-i", str(job), "--", "sleep", "86003", token=token, stdin=subprocess.PIPE)
        wait_until(lambda: pids_with("86003"), 10, "the command runs")
        os.set_blocking(client.stdin.fileno(), False)
        stalled = time.monotonic() + 1
        while time.monotonic() < stalled:
            try:
                client.stdin.raw.write(b"x" * 65536) or time.sleep(0.02)
            except BlockingIOError:
                time.sleep(0.02)
        client.kill()
        client.wait()
        wait_until(lambda: not pids_with("86003"), 10, "its process is gone")
    with shows("what a command leaves running ends with it"):
        result = center.run_in(job, "sh", "-c", "setsid sleep 86004 & exit 3", token=token)
        expect(result.code == 3, str(result))
        expect(not pids_with("86004"), "a process stayed")
    with shows("a revoked token ends it at once"):
        kept = open(token).read()
        doomed = center.path("doomed.token")
        os.rename(center.create_token("acme", "acme-user"), doomed)
        with open(os.open(token, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(kept)
        with open(doomed) as file:
            token_id = file.read().split("_")[1]
        client = start_sleeper(center, job, doomed, 86005)
        center.berth("token", "revoke", token_id)
        began = time.monotonic()
        code = client.wait(timeout=10)
        expect(code == 4, "exit code %d: %r" % (code, client.stderr.read()))
        wait_until(lambda: not pids_with("86005"), 5, "its processes are gone")
        expect(time.monotonic() - began < 3, "it took %.1f s" % (time.monotonic() - began))
    with shows("the end of the job ends it"):
        short = center.submit("--devices", "1", "--", "sleep", "300", token=token)
        center.await_state(short, ["running"], 20, token=token)
        client = start_sleeper(center, short, token, 86006)
        center.berth("cancel", "--now", str(short), token=token)
        code = client.wait(timeout=20)
        err = client.stderr.read().decode()
        expect(code == 137 and "B4304" in err, "exit code %d: %s" % (code, err))
        wait_until(lambda: not pids_with("86006"), 5, "its processes are gone")
        center.await_state(short, ["cancelled"], 20, token=token)
        result = center.run_in(short, "true", token=token)
        expect(result.code == 5 and "error[B4303]" in result.err, str(result))


def permissions(center, token, job, stranger):
    with shows("only the job's own user gets in; for another tenant there is no such job"):
        result = center.run_in(job, "true", token=stranger)
        expect(result.code == 3 and "no job %d" % job in result.err, str(result))
        foreign = center.run_in(job + 1000, "true", token=stranger)
        expect(re.sub(r"job \d+", "", result.err) == re.sub(r"job \d+", "", foreign.err),
               "%s is not as %s" % (result, foreign))
        center.berth("user", "add", "colleague", "--tenant", "acme")
        center.berth("user", "add", "chief", "--tenant", "acme", "--role", "tenant-admin")
        for who in (center.create_token("acme", "colleague"), center.create_token("acme", "chief"), None):
            result = center.run_in(job, "true", token=who)
            expect(result.code == 4 and "error[B7209]" in result.err, str(result))
    with shows("who entered, and who was refused, is in the audit"):
        backup = center.path("backup.db")
        center.berth("admin", "backup", "create", backup, "--socket", center.path("data", "admin.sock"))
        db = sqlite3.connect(backup)
        rows = db.execute("SELECT object, decision FROM audit WHERE action = 'Client.EnterJob'").fetchall()
        db.close()
        name = "job %d rank 0 command" % job
        expect((name, "ok") in rows and (name, "permission-denied") in rows, rows[:5])


def bulk(center, token, job):
    with shows("100 MB go through unchanged, and no heartbeat is late"):
        script = ("import hashlib,random,sys; r=random.Random(7); h=hashlib.sha256()\n"
                  "for i in range(100):\n"
                  "    b=r.randbytes(1<<20); h.update(b); sys.stdout.buffer.write(b)\n"
                  "sys.stderr.write(h.hexdigest())\n")
        process = center.start("exec", str(job), "--", "/usr/bin/python3", "-c", script, token=token)
        digest = hashlib.sha256()
        size = 0
        slowest = 0.0
        stop = threading.Event()

        def watch():
            nonlocal slowest
            while not stop.is_set():
                began = time.monotonic()
                nodes = center.items("nodes")
                slowest = max(slowest, time.monotonic() - began)
                if any(node["state"] != "ready" for node in nodes):
                    slowest = 1e9
                stop.wait(0.2)

        watcher = threading.Thread(target=watch)
        watcher.start()
        began = time.monotonic()
        while data := process.stdout.read(1 << 20):
            digest.update(data)
            size += len(data)
        took = time.monotonic() - began
        stop.set()
        watcher.join()
        expect(process.wait(timeout=30) == 0 and size == 100 << 20, "%d bytes" % size)
        expect(process.stderr.read().decode() == digest.hexdigest(), "other bytes came")
        expect(slowest < 3, "the scheduler answered after %.1f s" % slowest)
        print("  %.0f MB/s; the slowest answer meanwhile took %.2f s" % (size / took / 1e6, slowest))


def ports(center, token, job):
    with shows("forward carries connections to a server in the job"):
        server = center.submit("--devices", "1", "--", "/usr/bin/python3", "-c", SERVER, token=token)
        port = int(re.search(r"port (\d+)", center.await_log(server, r"port \d+", 20, token=token)).group(1))
        process = center.start("forward", str(server), "0:%d" % port, token=token)
        line = process.stderr.readline().decode()
        local = int(re.search(r"127\.0\.0\.1:(\d+)", line).group(1))
        payload = os.urandom(3 << 20)

        def once(data):
            with socket.create_connection(("127.0.0.1", local), timeout=20) as connection:
                sender = threading.Thread(target=lambda: (connection.sendall(data),
                                                          connection.shutdown(socket.SHUT_WR)))
                sender.start()
                back = b""
                while part := connection.recv(65536):
                    back += part
                sender.join()
            return back

        expect(once(payload) == payload and once(b"again") == b"again", "not what was sent came back")
        center.berth("cancel", "--now", str(server), token=token)
        expect(process.wait(timeout=20) == 0, "forward does not end with its job")
    with shows("forward to a port where nobody listens says so"):
        process = center.start("forward", str(job), "0:1", token=token)
        local = int(re.search(r"127\.0\.0\.1:(\d+)", process.stderr.readline().decode()).group(1))
        with socket.create_connection(("127.0.0.1", local), timeout=20) as connection:
            expect(connection.recv(1) == b"", "something came")
        expect(b"connect to the port" in process.stderr.readline(), "no reason is given")
        process.send_signal(signal.SIGINT)
        expect(process.wait(timeout=10) == 0, "Ctrl-C")


def tree_of(folder):
    found = {}
    for path, folders, files in os.walk(folder):
        for name in folders + files:
            full = os.path.join(path, name)
            key = os.path.relpath(full, folder)
            if os.path.islink(full):
                found[key] = os.readlink(full)
            elif os.path.isfile(full):
                with open(full, "rb") as file:
                    found[key] = (file.read(), os.stat(full).st_mode & 0o777)
            else:
                found[key] = "folder"
    return found


def evil_tars():
    def entry(name, **fields):
        info = tarfile.TarInfo(name)
        for key, value in fields.items():
            setattr(info, key, value)
        return info

    link = {"type": tarfile.SYMTYPE}
    cases = {"parent": [entry("evil/../../escaped", size=4)],
             "absolute": [entry(MARK + "/x", size=4)],
             "link": [entry("evil", type=tarfile.DIRTYPE, mode=0o755),
                      entry("evil/out", linkname="../../..", **link), entry("evil/out/escaped", size=4)],
             "absolute-link": [entry("evil", linkname="/etc", **link)],
             "hard-link": [entry("evil", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
             "device": [entry("evil", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
             "other": [entry("other", size=4)]}
    for name, entries in cases.items():
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for info in entries:
                tar.addfile(info, io.BytesIO(b"evil") if info.size else None)
        raw = data.getvalue()
        if name == "absolute":  # tarfile takes the slash off; the sum must fit the new name
            block = bytearray(raw[:512])
            block[0:100] = b"/tmp/" + MARK.encode() + b"/x" + bytes(100 - 7 - len(MARK))
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            raw = bytes(block) + raw[512:]
        yield name, raw


def copies(center, token, job):
    local = center.path("copied")
    os.makedirs(os.path.join(local, "deep", "x" * 120))
    for name, data in (("a", b"alpha\n"), ("deep/" + "x" * 120 + "/" + "y" * 90, os.urandom(200000)), ("empty", b"")):
        with open(os.path.join(local, name), "wb") as file:
            file.write(data)
    os.chmod(os.path.join(local, "a"), 0o755)
    os.symlink("a", os.path.join(local, "link"))
    with shows("cp carries folders and files both ways, unchanged"):
        center.berth("cp", local, "%d:" % job, token=token)
        center.berth("cp", "%d:copied" % job, center.path("back"), token=token)
        expect(tree_of(local) == tree_of(center.path("back")), "not what was sent came back")
        center.berth("cp", os.path.join(local, "a"), "%d:renamed" % job, token=token)
        os.mkdir(center.path("into"))
        center.berth("cp", "%d:renamed" % job, center.path("into"), token=token)
        with open(center.path("into", "renamed"), "rb") as file:
            expect(file.read() == b"alpha\n", "another file")
        result = center.try_berth("cp", "%d:nowhere" % job, center.path("into"), token=token)
        expect(result.code == 1 and "nowhere" in result.err and "\\x0a" not in result.err, str(result))
        result = center.try_berth("cp", center.path("no-such-file"), "%d:" % job, token=token)
        expect(result.code == 3 and "why:  No such file" in result.err, str(result))
    with shows("cp refuses what would be written outside of its target"):
        fake = center.submit("--devices", "1", "--env", "PATH=/tmp/fake:/usr/bin:/bin", "--", "sh", "-c",
                             "mkdir -p /tmp/fake; printf '#!/bin/sh\\ncat /tmp/fake/evil\\n' > /tmp/fake/tar; "
                             "chmod +x /tmp/fake/tar; echo ready; sleep 300", token=token)
        center.await_log(fake, "ready", 20, token=token)
        for name, raw in evil_tars():
            process = center.start("exec", "-i", str(fake), "--", "sh", "-c", "cat > /tmp/fake/evil", token=token,
                                   stdin=subprocess.PIPE)
            process.communicate(raw, timeout=20)
            os.makedirs(center.path("jail", name, "in"))
            result = center.try_berth("cp", "%d:evil" % fake, center.path("jail", name, "in"), token=token)
            expect(result.code == 5 and result.err.startswith("error[B1307]"), "%s: %s" % (name, result))
        left = [key for key, value in tree_of(center.path("jail")).items() if value != "folder"]
        expect(not left and not os.path.exists("/tmp/" + MARK), "written: %s" % left)
        center.berth("cancel", "--now", str(fake), token=token)


def gang(center, token):
    job = center.submit("--nodes", "2", "--devices", "1", "--", "sh", "-c", "echo rank $NODE_RANK; sleep 300", token=token)
    center.await_state(job, ["running"], 30, token=token)
    with shows("a rank is entered on its own node, with its own environment"):
        for rank in (0, 1):
            result = center.run_in("%d/%d" % (job, rank), "sh", "-c", "echo $NODE_RANK", token=token)
            expect(result.out == "%d\n" % rank, str(result))
        result = center.run_in("%d/7" % job, "true", token=token)
        expect(result.code == 2 and "rank 7" in result.err, str(result))
    with shows("a command whose input is no terminal gets none, and ends with that input"):
        result = center.try_berth("exec", "-it", str(job), "--", "bash", token=token, timeout=20)
        expect(result.code == 0 and "gets no terminal" in result.err, str(result))
        process = center.start("shell", str(job), token=token, stdin=subprocess.PIPE)
        out, err = process.communicate(b"echo $((40 + 2)); tty", timeout=20)
        expect(out.decode().startswith("42\nnot a tty") and b"the shell gets no terminal" in err, (out, err))
    with shows("at a terminal without input every reader of lines is told so, also the second"):
        result = center.try_berth("exec", "-t", str(job), "--", "sh", "-c", "cat; cat; echo both ended", token=token,
                                  timeout=20)
        expect(result.code == 0 and "both ended" in result.out, str(result))
    with shows("rsh reaches the other node from inside, input and all; a token that the job was given goes before its own"):
        script = "echo from stdin | %s rsh -l me node-%%d echo '$NODE_RANK' -n --flag '&&' cat" % BERTH
        node = rank_1(center, job, token)
        for given, code in (("", 0), ("export BERTH_TOKEN_FILE=$PWD/none; ", 3)):
            result = center.run_in(job, "sh", "-c", given + script % node, token=token)
            expect(result.code == code and (code or result.out == "1 -n --flag\nfrom stdin\n"), str(result))
    center.berth("cancel", "--now", str(job), token=token)


def rank_1(center, job, token):
    """The number of the node of rank 1."""
    rows = center.items("allocations", str(job), token=token)
    return [int(row["node"][5:]) for row in rows if row["rank"] == 1][0]


def files_with(folder, text):
    found = []
    for root, _, names in os.walk(folder):
        for path in (os.path.join(root, name) for name in names):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    if text.encode() in file.read():
                        found.append(path)
    return found


def own_token(center, token, isolated):
    with shows("the first process of a job reaches its other node at once, with nothing set by the user"):
        job = center.submit("--nodes", "2", "--devices", "1", "--", "sh", "-c",
                            "[ $NODE_RANK = 1 ] || for node in node-1 node-2; do [ $node = $BERTH_NODE ] || "
                            "%s rsh $node 'echo attempt $BERTH_ATTEMPT of rank $NODE_RANK'; done; sleep 300" % BERTH,
                            token=token)
        center.await_log(job, "^attempt 0 of rank 1\n", 30, token=token)
        center.await_state(job, ["running"], 20, token=token)
    alone = center.submit("--devices", "1", "--", "sleep", "300", token=token)
    center.await_state(alone, ["running"], 20, token=token)
    with shows("a job of one node has no token"):
        result = center.run_in(alone, "sh", "-c", "echo [$BERTH_TOKEN_FILE$BERTH_SERVER]", token=token)
        expect(result.out == "[]\n", str(result))
    secret = center.run_in(job, "sh", "-c", "cat $BERTH_TOKEN_FILE", token=token).out
    copy = center.path("copied.token")
    with open(os.open(copy, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(secret)
    with shows("a job's token enters and lists its own job"):
        expect(center.run_in(job, "true", token=copy).code == 0, "it does not enter")
        expect(len(center.items("allocations", str(job), token=copy)) == 2, "it does not list")
    with shows("a job's token does nothing else, and says so"):
        for words in (["submit", "--", "true"], ["cancel", str(job)], ["ps"], ["show", str(job)], ["logs", str(job)],
                      ["whoami"], ["nodes"], ["token", "create"], ["allocations"], ["allocations", str(alone)],
                      ["exec", str(alone), "--", "true"], ["node", "drain", "node-1"]):
            result = center.run_in(job, BERTH, *words, token=token)
            expect(result.code == 4 and result.err.startswith("error[B7210]"), str(result))
        expect(center.job(alone, token=token)["state"] == "running", "it was touched")
    with shows("a job's token is in no command line, environment, log, journal or database, and in one file of its user's"):
        secret_part = secret.split("_")[2]
        for name in filter(str.isdigit, os.listdir("/proc")):
            for part in ("cmdline", "environ"):
                try:
                    with open("/proc/%s/%s" % (name, part), "rb") as file:
                        expect(secret_part.encode() not in file.read(), "process %s, %s" % (name, part))
                except OSError:
                    continue
        found = [path for path in files_with(center.dir, secret_part) if path != copy]
        expect(len(found) == 1 and found[0].endswith("/jobs/%d/0/token" % job), str(found))
        facts = os.stat(found[0])
        expect(facts.st_mode & 0o7777 == 0o400, oct(facts.st_mode))
        uid = center.run_in(job, "id", "-u", token=token).out
        expect(facts.st_uid == int(uid), "user %d has it, not %s" % (facts.st_uid, uid))
    if isolated:
        with shows("another job of the same user cannot read it"):
            for path in (found[0], "/run/berth/job/token", "/proc/1/root" + found[0]):
                result = center.run_in(alone, "cat", path, token=token)
                expect(result.code != 0 and secret_part not in result.out, str(result))
    with shows("a job's token outlives the scheduler and the agents"):
        for name in ("berthd", "agent-1", "agent-2"):
            center.kill(name)
        center.up()
        script = "%s rsh node-%d echo again" % (BERTH, rank_1(center, job, token))
        wait_until(lambda: center.run_in(job, "sh", "-c", script, token=token).out == "again\n", 30, "rsh works again")
    with shows("another attempt has another token, and the one before is refused"):
        center.berth("requeue", str(job), token=token)
        wait_until(lambda: center.job(job, token=token)["attempt"] == 1, 30, "the next attempt")
        center.await_log(job, "^attempt 1 of rank 1\n", 30, token=token)
        result = center.try_berth("allocations", str(job), token=copy)
        expect(result.code == 4 and "error[B7103]" in result.err, str(result))
    with open(copy, "w") as file:
        file.write(center.run_in(job, "sh", "-c", "cat $BERTH_TOKEN_FILE", token=token).out)
    with shows("a token is refused when its job has ended, and its file is gone"):
        center.berth("allocations", str(job), token=copy)
        center.berth("cancel", "--now", str(job), token=token)
        center.await_state(job, ["cancelled"], 20, token=token)
        for words in (["allocations", str(job)], ["exec", str(job), "--", "true"]):
            result = center.try_berth(*words, token=copy)
            expect(result.code == 4 and "error[B7103]" in result.err, str(result))
        wait_until(lambda: not glob.glob(center.path("agent-*", "jobs", str(job), "*", "token")), 20, "the files are gone")
    center.berth("cancel", "--now", str(alone), token=token)


def survival(center, token):
    job = center.submit("--devices", "1", "--", "sh", "-c", "echo line; sleep 4; exit 6", token=token)
    center.await_state(job, ["running"], 20, token=token)
    with shows("attach follows the log and exits with the job's code"):
        result = center.try_berth("attach", str(job), token=token, timeout=60)
        expect(result.code == 6 and "line\n" in result.out, str(result))
    job = center.submit("--devices", "1", "--", "sleep", "300", token=token)
    center.await_state(job, ["running"], 20, token=token)
    with shows("a task that a restarted agent has adopted is entered as before"):
        client = start_sleeper(center, job, token, 86007)
        center.kill("agent-1")
        wait_until(lambda: not pids_with("86007"), 10, "what was entered by way of the dead agent is gone")
        expect(client.wait(timeout=20) == 125, "the client's exit code")
        center.up()
        wait_until(lambda: center.run_in(job, "true", token=token).code == 0, 30, "the job is entered again")
        expect(center.job(job, token=token)["state"] == "running", "the job did not survive")
    with shows("a task is entered though the template of its shim is dead, of an earlier agent's as of this one's"):
        later = center.submit("--devices", "1", "--", "sleep", "300", token=token)
        center.await_state(later, ["running"], 20, token=token)
        templates = [pid for pid in pids_with("--template", shims=True) if parent(pid) == center.pid("agent-1")]
        expect(len(templates) == 1, str(templates))
        os.kill(templates[0], signal.SIGKILL)
        for each in (job, later):
            result = center.run_in(each, "sh", "-c", "echo $BERTH_JOB_ID", token=token)
            expect(result.out == "%d\n" % each, str(result))
        center.berth("cancel", "--now", str(later), token=token)
    center.berth("cancel", "--now", str(job), token=token)


def main():
    is_root = os.geteuid() == 0
    with Inside("--nodes", "1", "--devices", "8", "--isolation", "allow" if is_root else "off") as center:
        token = center.add_tenant("acme", 8, 8)
        stranger = center.add_tenant("other", 0, 8)
        job = center.submit("--devices", "1", "--", "sleep", "3000", token=token)
        center.await_state(job, ["running"], 20, token=token)
        basics(center, token, job, is_root)
        terminal(center, token, job)
        endings(center, token, job)
        permissions(center, token, job, stranger)
        bulk(center, token, job)
        ports(center, token, job)
        copies(center, token, job)
        survival(center, token)
    with Inside("--nodes", "2", "--devices", "1", "--isolation", "off") as center:
        token = center.add_tenant("acme", 2, 2)
        gang(center, token)
    with Inside("--nodes", "2", "--devices", "2", "--isolation", "allow" if is_root else "off") as center:
        token = center.add_tenant("acme", 4, 4)
        own_token(center, token, is_root)
    finish()


if __name__ == "__main__":
    main()
