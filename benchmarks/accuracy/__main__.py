"""Measures how often the diagnosis is right.

python -m benchmarks.accuracy --part measuring            about 1,000 trainings, logs kept; goes on where it was stopped
python -m benchmarks.accuracy --part tuning               the part that may be looked at
python -m benchmarks.accuracy --small                     a fixed small share of it, as in CI
python -m benchmarks.accuracy --part measuring --trained  judge the logs that are kept, train nothing
python -m benchmarks.accuracy --part measuring --fixes    apply the recommended changes, and train again
"""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import replace
from pathlib import Path

from benchmarks.accuracy.cases import SEEDS, Case, healthy_cases, sick_cases
from benchmarks.accuracy.faults import FAULTS, STRENGTHS
from benchmarks.accuracy.measure import Result, fixed, is_trained, measure
from benchmarks.accuracy.report import share, write


def main() -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["tuning", "measuring"], default="measuring")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--fixes", action="store_true")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--trained", action="store_true")
    parser.add_argument("--logs", type=Path, default=Path("benchmarks/accuracy/logs"))
    chosen = parser.parse_args()
    seeds = SEEDS[:1] if chosen.small else SEEDS
    healthy, sick = (
        list(healthy_cases(chosen.part, seeds)),
        list(sick_cases(chosen.part, seeds, 1 if chosen.small else 3)),
    )
    if chosen.small:
        healthy, sick = healthy[::6], [case for case in sick if case.strength == "clearly"]
    if chosen.trained:
        healthy, sick = ([case for case in cases if is_trained(case, chosen.logs)] for cases in (healthy, sick))
    results = measure([*healthy, *sick], chosen.logs, chosen.jobs)
    print(write([results[case.key] for case in healthy], [results[case.key] for case in sick]))
    if chosen.fixes:
        print(fixes(sick, results, chosen.logs, chosen.jobs))


def fixes(sick: list[Case], results: dict[str, Result], logs: Path, jobs: int) -> str:
    """Apply the change that each clear and rightly named case recommends, train again, and say what came of it."""
    names = {fault.name: fault.names for fault in FAULTS}
    pairs = []
    for case in sick:
        result = results[case.key]
        if case.strength == STRENGTHS[1] and result.causes and result.causes[0] in names[result.fault or ""]:
            program = fixed(result)
            if program is not None:
                pairs.append((result, replace(case, program=program)))
    again = measure([case for _, case in pairs], logs, jobs)
    gone = better = both = 0
    for before, case in pairs:
        after = again[case.key]
        went = before.causes[0] not in after.serious
        gained = math.isfinite(after.skill) and not after.skill <= before.skill  # NaN before
        gone, better, both = gone + went, better + gained, both + (went and gained)
    lines = ["## Recommended changes, applied", ""]
    lines += [f"- the finding went: {share(gone, len(pairs))}", f"- the result got better: {share(better, len(pairs))}"]
    return "\n".join([*lines, f"- both: {share(both, len(pairs))}"])


if __name__ == "__main__":
    main()
