"""No input raises a traceback: mutated logs of every kind, read, understood, and some of them given to the commands.

python -m benchmarks.fuzzing [--files 10000] [--seed 20261121] [KIND ...]

The files are made in memory, and the same for a seed. It ends with 1 where one fails, and keeps that file.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.readers.fuzzing import FileFailedError, fuzz
from tests.readers.kinds import KINDS


def main() -> int:
    """Print a row a kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", metavar="KIND", nargs="*", help=f"by default all: {', '.join(KINDS)}")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261121)
    options = parser.parse_args()
    if unknown := [name for name in options.kinds if name not in KINDS]:
        parser.error(f"no kind is called {unknown[0]!r}; there are: {', '.join(KINDS)}")
    failed = False
    print("| kind | reader | files read | refused with a reason | CPU |\n|---|---|---|---|---|", flush=True)
    for name in options.kinds or KINDS:
        began = time.process_time()
        try:
            outcome = fuzz(name, KINDS[name], [kind.log for kind in KINDS.values()], options.files, options.seed)
            row = f"{outcome.read:,} | {outcome.refused:,} | {time.process_time() - began:.0f} s"
        except FileFailedError as failure:
            failed = True
            Path(f"failed-{KINDS[name].file}").write_bytes(failure.data)
            row = f"failed-{KINDS[name].file}: {str(failure)[:400]} | | "
        print(f"| {name} | {KINDS[name].format} | {row} |", flush=True)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
