"""What a part of the chaos counts, printed in one line."""

import collections


class Counts(collections.Counter):
    """Filled while a part runs; printed whatever comes of it."""

    def __str__(self):
        return ", ".join("%d %s" % (self[key], key) for key in self)


def report(what, counts):
    print("     %s: %s" % (what, counts), flush=True)
