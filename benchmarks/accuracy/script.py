"""A program as a script that knows nothing of trainhealth; it prints its skill."""

from __future__ import annotations

import json
import sys

from benchmarks.accuracy.program import Program
from benchmarks.accuracy.train import train_unwatched

if __name__ == "__main__":
    print(train_unwatched(Program(**json.loads(sys.argv[1]))))
