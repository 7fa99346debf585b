#!/usr/bin/env python3
"""berth shell as a job of its own: a shell on devices that are held for it, and given back when nobody uses it."""

import os
import pty
import re
import select
import signal
import subprocess
import time

from center import BIN, Center, expect, finish, shows, wait_until


class Shells(Center):
    def shell(self, *arguments, token, **options):
        return subprocess.Popen([os.path.join(BIN, "berth"), "shell", "--project", "research", *arguments],
                                env=self.environment(token), stdin=options.pop("stdin", subprocess.PIPE),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def end_of(self, job, token):
        row = self.await_state(job, ["succeeded", "failed", "cancelled", "timeout"], 40, token=token)
        return row["state"], row["end"]["reason"]


def submitted(process):
    line = process.stderr.readline()
    found = re.match(r"job (\d+) submitted", line)
    expect(found, "no job: %r" % line)
    return int(found.group(1))


def say(process, text):
    process.stdin.write(text)
    process.stdin.flush()


def sessions(center, token):
    with shows("a shell of its own has a device, and its end is the job's: code, devices, and what it left running"):
        process = center.shell("--devices", "1", "--time", "1h", token=token)
        out, err = process.communicate("echo sum $((40 + 2)) $CUDA_VISIBLE_DEVICES; setsid sleep 87001 & exit 5\n",
                                       timeout=60)
        expect(process.returncode == 5 and re.search(r"sum 42 \d", out), (process.returncode, out, err))
        expect("ends after 1h, or 30m without input and output" in err, err)
        job = int(re.match(r"job (\d+)", err).group(1))
        expect(center.end_of(job, token) == ("cancelled", "cancelled"), center.job(job, token=token))
        expect(center.job(job, token=token)["name"] == "shell", "its name")
        expect("30m without input or output" in center.berth("show", str(job), token=token), "show")
    with shows("it has the caller's terminal"):
        pid, master = pty.fork()
        if pid == 0:
            os.execve(os.path.join(BIN, "berth"), ["berth", "shell", "-d", "1", "--project", "research"],
                      center.environment(token) | {"TERM": "xterm"})
        os.write(master, b"echo tty is $(tty); exit 3\n")
        seen = b""
        deadline = time.monotonic() + 60
        while not re.search(rb"tty is /dev/pts/\d+\r\n", seen):
            expect(time.monotonic() < deadline, "no terminal: %r" % seen)
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536)
        expect(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3, "not the shell's code")
    with shows("while it waits it says why, and Ctrl-C cancels it"):
        holder = center.submit("--devices", "4", "--", "sleep", "300", token=token)
        center.await_state(holder, ["running"], 20, token=token)
        process = center.shell("-d", "4", token=token)
        job = submitted(process)
        line = process.stderr.readline()
        expect(line.startswith("waiting: "), line)
        process.send_signal(signal.SIGINT)
        expect(process.wait(timeout=20) == 121, "exit code %d" % process.returncode)
        expect(center.end_of(job, token) == ("cancelled", "cancelled"), "it was not cancelled")
        center.berth("cancel", "--now", str(holder), token=token)


def idleness(center, token):
    with shows("a shell that nobody uses ends as idle, with exit code 122"):
        master, terminal = pty.openpty()
        process = center.shell("-d", "1", "--idle", "2s", "--grace", "1s", token=token, stdin=terminal)
        job = submitted(process)
        os.write(master, b"echo here\n")
        process.wait(timeout=60)  # its input stays open: the end of that would be the shell's
        os.close(terminal)
        os.close(master)
        out, err = process.stdout.read(), process.stderr.read()
        expect(process.returncode == 122 and re.search(r"^here\r?$", out, re.M), (process.returncode, out, err))
        expect("timeout idle: nobody used it" in err, "the end is not told: " + err)
        expect(center.end_of(job, token) == ("timeout", "idle"), center.job(job, token=token))
    with shows("so does one whose input is no terminal, which the stop ends before its job"):
        process = center.shell("-d", "1", "--idle", "2s", "--grace", "5s", token=token)
        job = submitted(process)
        say(process, "echo here\n")
        process.wait(timeout=60)
        out, err = process.stdout.read(), process.stderr.read()
        expect(process.returncode == 122 and out == "here\n" and "timeout idle" in err, (process.returncode, out, err))
        expect(center.end_of(job, token) == ("timeout", "idle"), center.job(job, token=token))
    with shows("input and output keep it"):
        process = center.shell("-d", "1", "--idle", "3s", "--grace", "1s", token=token)
        job = submitted(process)
        say(process, "for i in 1 2 3 4 5 6 7; do sleep 1; echo $i; done; echo said\n")
        wait_until(lambda: "said" == process.stdout.readline().strip(), 40, "it speaks for longer than its limit")
        for _ in range(7):
            time.sleep(1)
            say(process, "\n")
        say(process, "exit 0\n")
        process.communicate(timeout=20)
        expect(process.returncode == 0, "exit code %d" % process.returncode)
    with shows("a killed client leaves the job to the same rule, and another client may come back before"):
        process = center.shell("-d", "1", "--idle", "6s", "--grace", "1s", token=token)
        job = submitted(process)
        center.await_state(job, ["running"], 20, token=token)
        process.kill()
        process.communicate()
        result = center.try_berth("exec", str(job), "--", "true", token=token)
        expect(result.code == 0, str(result))
        result = center.try_berth("attach", str(job), token=token, timeout=40)
        expect(result.code == 122 and "berth shell %d opens" % job in result.err, str(result))
        expect(center.end_of(job, token) == ("timeout", "idle"), center.job(job, token=token))
    with shows("the rule holds without an agent, too"):
        process = center.shell("-d", "1", "--idle", "4s", "--grace", "1s", token=token)
        job = submitted(process)
        center.await_state(job, ["running"], 20, token=token)
        center.kill("agent-1")
        expect(process.wait(timeout=30) == 125, "the client's exit code")
        time.sleep(6)
        center.up()
        row = center.await_state(job, ["timeout"], 40, token=token)
        expect(row["end"]["reason"] == "idle", row["end"])
        process.communicate()


def refusals(center, token):
    with shows("two nodes, an array, a command, and a new job's options for a running one are refused"):
        for options in (["--nodes", "2"], ["--array", "0-3"]):
            result = center.try_berth("shell", "--project", "research", *options, token=token)
            expect(result.code == 2 and "error[B1230]" in result.err, str(result))
        result = center.try_berth("shell", "-d", "1", "--", "python3", token=token)
        expect(result.code == 2 and "takes no command" in result.err, str(result))
        result = center.try_berth("shell", "--idle", "1h", "17", token=token)
        expect(result.code == 2 and "--idle" in result.err and "runs already" in result.err, str(result))


def main():
    isolation = "allow" if os.geteuid() == 0 else "off"
    with Shells("--nodes", "1", "--devices", "4", "--isolation", isolation) as center:
        token = center.add_tenant("acme", 4, 4)
        sessions(center, token)
        refusals(center, token)
        idleness(center, token)
    finish()


if __name__ == "__main__":
    main()
