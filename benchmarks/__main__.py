"""``python -m benchmarks [NAME …] [--quick]``: measure, print the ratios, exit 1 on a miss."""

from __future__ import annotations

import argparse
import sys

from benchmarks import drive, growth, isolate, killed, prune, reads, start, ticks, watch
from benchmarks.measure import missed

BENCHMARKS = {
    "reads": reads,
    "start": start,
    "drive": drive,
    "killed": killed,
    "isolate": isolate,
    "growth": growth,
    "prune": prune,
    "watch": watch,
    "ticks": ticks,
}

parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all")
parser.add_argument("--quick", action="store_true", help="fewer rounds, no fan-out of 10,000")
given = parser.parse_args()
if unknown := set(given.names) - set(BENCHMARKS):
    parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
for name in given.names or BENCHMARKS:
    print(f"== {name}: {(BENCHMARKS[name].__doc__ or '').splitlines()[0]}")
    BENCHMARKS[name].main(quick=given.quick)
sys.exit(1 if missed else 0)
