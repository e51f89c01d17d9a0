"""How long the command line takes to answer.

python benchmarks/startup.py [--repeat 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

SAMPLE = Path(__file__).parent.parent / "sample_logs" / "learning-rate-too-high" / "sick"
COMMANDS = (
    (["--help"], 0.2),
    (["check", str(SAMPLE)], 1.5),
    (["check", "--format", "json", str(SAMPLE)], 1.5),
    (["explain", "dead-relu-units"], 1.5),
)


def seconds(arguments: list[str], repeat: int) -> float:
    """Return the median time of one command, in a new process each time."""
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "trainhealth", *arguments], capture_output=True, check=False)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    print("| command | median | target |")
    print("|---|---|---|")
    for arguments, target in COMMANDS:
        shown = " ".join(Path(argument).name if "/" in argument else argument for argument in arguments)
        print(f"| trainhealth {shown} | {seconds(arguments, repeat):.2f} s | {target} s |")


if __name__ == "__main__":
    main()
