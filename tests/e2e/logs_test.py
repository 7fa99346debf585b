#!/usr/bin/env python3
"""The logs of a gang as one: merged, collapsed, followed across an agent's death, chosen from, and downloaded."""

import datetime
import json
import os
import pty
import re
import subprocess

from center import BIN, Center, expect, finish, shows, wait_until

NODES = 4
PER_NODE = 8
RANKS = range(NODES * PER_NODE)
RANK = r'rank=$RANK; gate() { while [ ! -e "$GATES/$1" ]; do sleep 0.3; done; }; '
STEPS = ["world %d" % len(RANKS), "rank %d begins", "rank %d goes on", "rank %d ends"]


def written(rank):
    return [step % rank if "%d" in step else step for step in STEPS]


def ranks_of(text):
    ranks = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        ranks += range(int(first), int(last or first) + 1)
    return ranks


def lines_by_rank(out):
    """What each rank wrote, told from a merged log; fails where a prefix is wrong."""
    lines = {}
    for line in out.splitlines():
        match = re.fullmatch(r"\[r([0-9,-]+)( ×([0-9]+))?\] *(.*)", line)
        expect(match, "no prefix: %r" % line)
        ranks = ranks_of(match.group(1))
        expect(len(ranks) == int(match.group(3) or 1), line)
        for rank in ranks:
            lines.setdefault(rank, []).append(match.group(4))
    return lines


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def touch(path):
    with open(path, "w"):
        pass


class Follower:
    """`berth logs -f` with its output in a file."""

    def __init__(self, center, token, *arguments):
        self.path = center.path("followed")
        with open(self.path, "w") as out:
            self.process = subprocess.Popen([os.path.join(BIN, "berth"), "logs", "-f", *arguments], stdout=out,
                                            stderr=subprocess.PIPE, text=True, env=center.environment(token),
                                            stdin=subprocess.DEVNULL)

    def await_line(self, text, ranks, seconds):
        def missing():
            lines = lines_by_rank(self.whole_lines())
            return [rank for rank in ranks if text.replace("%d", str(rank)) not in lines.get(rank, [])]
        try:
            wait_until(lambda: not missing(), seconds, "%r is followed" % text)
        except AssertionError as error:
            raise AssertionError("%s: none of ranks %s" % (error, missing())) from None

    def whole_lines(self):
        out = read(self.path)
        return out[:out.rfind("\n") + 1]

    def finish(self):
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, read(self.path), err


def follow_across_a_death(center, token, job, gates):
    follower = Follower(center, token, str(job), "--all")
    follower.await_line("rank %d begins", RANKS, 60)
    node = center.job(job, token=token)["nodes"][2]
    of_node = range(2 * PER_NODE, 3 * PER_NODE)
    agent = "agent-" + node.rsplit("-", 1)[1]
    center.kill(agent)
    touch(os.path.join(gates, "1"))
    follower.await_line("rank %d goes on", [rank for rank in RANKS if rank not in of_node], 60)
    center.up()
    follower.await_line("rank %d goes on", RANKS, 60)
    between = datetime.datetime.now(datetime.timezone.utc).isoformat()
    touch(os.path.join(gates, "2"))
    code, out, err = follower.finish()
    expect(code == 0, "exit %d: %s" % (code, err))
    lines = lines_by_rank(out)
    expect(sorted(lines) == list(RANKS), sorted(lines))
    for rank in RANKS:
        expect(lines[rank] == written(rank), "rank %d: %s" % (rank, lines[rank]))
    return between


def read_after_the_end(center, token, job, between):
    logs = lambda *arguments: center.berth("logs", str(job), *arguments, token=token)
    lines = lines_by_rank(logs("--all"))
    expect([lines[rank] for rank in RANKS] == [written(rank) for rank in RANKS], lines)
    expect(lines_by_rank(logs("--all", "--grep", "^rank [0-9]* ends$")) == {rank: [written(rank)[3]] for rank in RANKS}, "grep")
    expect(lines_by_rank(logs("--all", "--since", between)) == {rank: [written(rank)[3]] for rank in RANKS},
           "since %s: %s" % (between, logs("--all", "--since", between)))
    expect(logs("--all", "--since", "1d", "--tail", "0") == "", "no line at all")
    some = lines_by_rank(logs("--rank", "0,5-7", "--tail", "2", "--grep", "goes"))
    expect(some == {rank: [written(rank)[2]] for rank in (0, 5, 6, 7)}, some)
    items = [json.loads(line) for line in logs("--all", "-o", "jsonl").splitlines()]
    expect(len(items) == len(STEPS) * len(RANKS), len(items))
    expect([item["at"] for item in items] == sorted(item["at"] for item in items), "not in the order of time")


def download(center, token, job):
    folder = center.path("downloaded")
    files = [json.loads(line) for line in
             center.berth("logs", str(job), "--download", folder, "-o", "jsonl", token=token).splitlines()]
    expect([file["rank"] for file in files] == list(RANKS), files)
    expect(sorted(os.listdir(folder)) == sorted("rank-%d.log" % rank for rank in RANKS), os.listdir(folder))
    for file in files:
        text = read(file["file"])
        expect(text.splitlines() == written(file["rank"]) and len(text) == file["size_bytes"], file)
    again = center.try_berth("logs", str(job), "--download", folder, token=token)
    expect(again.code == 5 and "is there already" in again.err, again)


def lose_a_node(center, token, job):
    node = center.job(job, token=token)["nodes"][1]
    center.kill("agent-" + node.rsplit("-", 1)[1])
    of_node = range(PER_NODE, 2 * PER_NODE)
    rest = [rank for rank in RANKS if rank not in of_node]
    merged = center.try_berth("logs", str(job), "--all", token=token)
    expect(merged.code == 8 and "ranks 8-15: node " + node in merged.err, merged)
    expect(sorted(lines_by_rank(merged.out)) == rest, merged)
    folder = center.path("partly")
    partly = center.try_berth("logs", str(job), "--download", folder, token=token)
    expect(partly.code == 8 and node in partly.err, partly)
    expect(sorted(os.listdir(folder)) == sorted("rank-%d.log" % rank for rank in rest), os.listdir(folder))
    center.up()


def at_a_terminal(center, token, *arguments):
    """What `berth` writes to its terminal, which turns line breaks into two bytes."""
    master, terminal = pty.openpty()
    process = subprocess.Popen([os.path.join(BIN, "berth"), *arguments], stdin=subprocess.DEVNULL, stdout=terminal,
                               stderr=subprocess.DEVNULL, env=center.environment(token))
    os.close(terminal)
    out = b""
    try:
        while piece := os.read(master, 65536):
            out += piece
    except OSError:  # nobody has it open any more
        pass
    os.close(master)
    expect(process.wait(timeout=30) == 0, "exit code %d" % process.returncode)
    return out.replace(b"\r\n", b"\n")


def escapes(center, token):
    written = b"\x1b[31mred\x1b[0m\t\xe4\xbd\xa0\n10 %\r20 %\n\x1b]0;title\x07\x1b[2J\xc2\x9b\n"
    octal = "".join("\\%03o" % byte for byte in written).replace("\\045", "%%")
    job = center.submit("--nodes", "2", "--", "printf", octal, token=token)
    center.await_state(job, ["succeeded"], 30, token=token)
    shown = written.replace(b"\x1b]0;title\x07\x1b[2J\xc2\x9b", b"^[]0;title^G^[[2J\\x9b")
    piped = subprocess.run([os.path.join(BIN, "berth"), "logs", str(job)], capture_output=True,
                           env=center.environment(token), timeout=30).stdout
    expect(piped == written, piped)
    for verb in ("logs", "attach"):
        out = at_a_terminal(center, token, verb, str(job))
        expect(out == shown, "%s: %r" % (verb, out))
        out = at_a_terminal(center, token, verb, str(job), "--raw")
        expect(out == written, "%s --raw: %r" % (verb, out))
    out = at_a_terminal(center, token, "run", "--", "printf", octal)
    expect(out == shown, "run: %r" % out)
    out = at_a_terminal(center, token, "run", "--raw", "--", "printf", octal)
    expect(out == written, "run --raw: %r" % out)
    merged = at_a_terminal(center, token, "logs", str(job), "--all")
    expect(b"^[]0;title" in merged and b"\x1b]" not in merged, merged)


def read_much(center, token):
    """Memory is that of some pieces of each log, not that of the logs."""
    count = 400000
    job = center.submit("--nodes", str(NODES), "--devices", "1", "--", "sh", "-c",
                        "seq -f 'a line of some length, number %%.0f' %d" % count, token=token)
    center.await_state(job, ["succeeded"], 120, token=token)
    process = subprocess.Popen([os.path.join(BIN, "berth"), "logs", str(job), "--all"], stdout=subprocess.PIPE,
                               text=True, env=center.environment(token), stdin=subprocess.DEVNULL)
    shown = numbers = 0
    for line in process.stdout:
        shown += len(ranks_of(re.match(r"\[r([0-9,-]+)", line).group(1)))
        numbers += 1
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    expect(process.returncode == 0, process.returncode)
    expect(shown == NODES * count, "%d lines of %d" % (shown, NODES * count))
    print("     %d lines in %d; at most %.1f MiB in memory" % (shown, numbers, usage.ru_maxrss / 1024))
    expect(usage.ru_maxrss < 100 * 1024, "%d KiB in memory" % usage.ru_maxrss)


def main():
    with Center("--nodes", str(NODES), "--devices", str(PER_NODE)) as center:
        token = center.add_tenant("acme", len(RANKS), len(RANKS))
        gates = center.path("gates")
        os.mkdir(gates)
        job = center.submit("--nodes", str(NODES), "--devices", str(PER_NODE), "--launch", "device", "--env", "GATES=" + gates,
                            "--", "sh", "-c", RANK + 'echo "world $WORLD_SIZE"; echo "rank $rank begins"; gate 1; '
                            'echo "rank $rank goes on"; gate 2; echo "rank $rank ends"', token=token)
        between = None
        with shows("32 ranks are followed as one log, across the death of an agent, and no line is lost or doubled"):
            between = follow_across_a_death(center, token, job, gates)
        with shows("after the end: all, some, chosen by expression, by time, by number, and as objects"):
            center.await_state(job, ["succeeded"], 30, token=token)
            read_after_the_end(center, token, job, between)
        with shows("every rank's log comes into a file, and no file is overwritten"):
            download(center, token, job)
        with shows("what a lost node keeps is told, and the others are shown and downloaded"):
            lose_a_node(center, token, job)
        with shows("at a terminal colours pass and other escapes are shown, unless --raw; a pipe gets every byte"):
            escapes(center, token)
        with shows("large logs are merged in bounded memory"):
            read_much(center, token)
    finish()


if __name__ == "__main__":
    main()
