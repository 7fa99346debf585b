#!/usr/bin/env python3
"""A short run of the chaos against the shipped programs; the long one is tests/e2e/chaos/run.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "chaos"))

from center import finish  # noqa: E402
from run import run  # noqa: E402

run(int(os.environ.get("BERTH_SEED", "1")), {"cycles": 8, "burst": 100, "agents": 6, "shims": 2, "partitions": 4, "stops": 1, "disks": 1})
finish()
