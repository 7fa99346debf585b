#!/usr/bin/env python3
"""`berth top` on a terminal: its pictures, and the terminal as it was before on every way out."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from center import BIN, Center, expect, finish, shows, wait_until

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A terminal of 80 x 24 with `berth` on it."""

    def __init__(self, environment, *arguments):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.out = b""
        self.process = subprocess.Popen([os.path.join(BIN, "berth"), *arguments], stdin=theirs, stdout=theirs,
                                        stderr=theirs, env=environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)

    def read(self):
        while select.select([self.ours], [], [], 0)[0]:
            self.out += os.read(self.ours, 65536)
        return self.out

    def pictures(self):
        return [part.decode(errors="replace") for part in self.read().split(b"\x1b[H")[1:]]

    def await_picture(self, pattern, seconds=20):
        wait_until(lambda: any(re.search(pattern, picture) for picture in self.pictures()), seconds,
                   "%r on the terminal: %r" % (pattern, self.out[-800:]))

    def type(self, keys):
        os.write(self.ours, keys)

    def await_end(self, code):
        wait_until(lambda: self.read() is not None and self.process.poll() is not None, 10, "berth top has ended")
        self.read()
        expect(self.process.returncode == code, "exit %d: %r" % (self.process.returncode, self.out[-500:]))
        expect(self.out.count(ENTER) == self.out.count(LEAVE) == 1, self.out[-500:])
        expect(b"\x1b[?25h" in self.out and b"\x1b[?7h" in self.out, "the cursor is hidden, or lines end")
        expect(b"\x1b[H" not in self.out[self.out.index(LEAVE):], "a picture after the end")
        expect(termios.tcgetattr(self.theirs) == self.before, "the modes are others")


def lines_of(picture):
    return [re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", line) for line in picture.split("\r\n")]


def main():
    with Center("--nodes", "2", "--devices", "4") as center:
        token = center.add_tenant("acme", 4, 8)
        job = center.submit("--nodes", "2", "--devices", "2", "--", "sleep", "300", token=token)
        center.await_state(job, ["running"], 20, token=token)

        with shows("the center on a terminal of 80 x 24, drawn again and again, as member and as operator"):
            for who in (token, None):
                with Terminal(center.environment(who), "top", "--interval", "500ms") as terminal:
                    terminal.await_picture(r"nodes 2 of 2 ready   jobs 1 running, 0 waiting")
                    terminal.await_picture(r"4 of 8 in use")
                    wait_until(lambda: len(terminal.pictures()) > 3, 20, "more pictures")
                    for picture in terminal.pictures()[:-1]:
                        expect(len(lines_of(picture)) <= 24, picture)
                        expect(all(len(line) <= 80 for line in lines_of(picture)), picture)
                    terminal.type(b"q")
                    terminal.await_end(0)

        with shows("a job: its nodes, and its end"):
            with Terminal(center.environment(token), "top", str(job), "--interval", "500ms") as terminal:
                terminal.await_picture(r"node-2 +1 .*ok +running +\S+ ago")
                center.berth("cancel", "--now", str(job), token=token)
                terminal.await_picture(r"cancelled")
                terminal.type(b"q")
                terminal.await_end(0)

        with shows("a node and a tenant, drawn again and again"):
            for word, pattern in (("node-1", r"4 devices, [24] free"), ("acme", r"jobs \d running on \d devices")):
                with Terminal(center.environment(token), "top", word, "--interval", "500ms") as terminal:
                    terminal.await_picture(pattern)
                    wait_until(lambda: len(terminal.pictures()) > 3, 20, "more pictures")
                    for picture in terminal.pictures()[:-1]:
                        expect(all(len(line) <= 80 for line in lines_of(picture)), picture)
                    terminal.type(b"q")
                    terminal.await_end(0)

        with shows("SIGINT from the keyboard, SIGTERM and SIGHUP leave the terminal as it was"):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                with Terminal(center.environment(token), "top") as terminal:
                    terminal.await_picture(r"nodes 2 of 2")
                    if number == signal.SIGINT:
                        terminal.type(b"\x03")
                    else:
                        terminal.process.send_signal(number)
                    terminal.await_end(128 + number)

        with shows("an error leaves it so, too, and stands on the page before"):
            with Terminal(center.environment(token), "top", "4711") as terminal:
                terminal.await_end(3)
                expect(b"error[" in terminal.out[terminal.out.index(LEAVE):], terminal.out)

        with shows("a scheduler that goes away leaves the last picture, and is back in it by itself"):
            with Terminal(center.environment(token), "top", "--interval", "500ms") as terminal:
                terminal.await_picture(r"nodes 2 of 2")
                center.kill("berthd")
                terminal.await_picture(r"not now: cannot reach the scheduler")
                expect("nodes 2 of 2" in terminal.pictures()[-1], terminal.pictures()[-1])
                center.up()
                wait_until(lambda: "q leaves" in terminal.pictures()[-1], 30, "the scheduler is seen again")
                terminal.type(b"q")
                terminal.await_end(0)

        with shows("elsewhere than on a terminal it is text, once"):
            for arguments in (["top"], ["top", "--once"], ["top", str(job)]):
                started = time.monotonic()
                out = center.berth(*arguments, token=token)
                expect("\x1b" not in out and out.endswith("\n"), out)
                expect(time.monotonic() - started < 10, "it stays")
    finish()


if __name__ == "__main__":
    main()
