"""What the jobs of the chaos runs leave behind, so that a second execution cannot hide.

An attempt holds a lock on a file of its job as long as any process of it lives: a second attempt that finds the lock
taken says so. Starts and ends are lines of one file, written under a lock.
"""

import collections
import fcntl
import os

SCRIPT = r'''
live=$1 log=$2 name=$3 seconds=$4 code=$5
note() { (flock 9; echo "$1 $name $BERTH_ATTEMPT $$" >&9) 9>>"$log"; }
exec 8>>"$live/$name"
flock -n 8 || note overlap
note start
if [ "$seconds" = forever ]; then while :; do sleep 3600; done; fi
sleep "$seconds"
note end
exit "$code"
'''


class Marks:
    def __init__(self, folder):
        self.live = os.path.join(folder, "live")
        self.log = os.path.join(folder, "marks")
        os.makedirs(self.live, exist_ok=True)

    def command(self, name, seconds, code=0):
        return ["bash", "-c", SCRIPT, "mark", self.live, self.log, name, str(seconds), str(code)]

    def lines(self):
        try:
            with open(self.log) as file:
                return [line.split() for line in file]
        except FileNotFoundError:
            return []

    def starts(self, name):
        return sum(1 for kind, who, _, _ in self.lines() if kind == "start" and who == name)

    def pid(self, name):
        """Of the last attempt that started."""
        return [int(pid) for kind, who, _, pid in self.lines() if kind == "start" and who == name][-1]

    def is_live(self, name):
        with open(os.path.join(self.live, name), "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
            except BlockingIOError:
                return True

    def violations(self):
        lines = self.lines()
        overlaps = ["%s: attempt %s began while another ran" % (who, attempt)
                    for kind, who, attempt, _ in lines if kind == "overlap"]
        starts = collections.Counter((who, attempt) for kind, who, attempt, _ in lines if kind == "start")
        doubled = ["%s: attempt %s was executed %d times" % (who, attempt, count)
                   for (who, attempt), count in starts.items() if count > 1]
        return overlaps + doubled
