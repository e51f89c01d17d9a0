"""Which planted faults harm at all: a program that comes out as well as its twin is not sick, whatever was planted.

The criterion is DeepCrime's for a mutant that is killed (Humbatova, Jahangirova and Tonella 2021, after Jahangirova and
Tonella 2020): over repeated trainings the results of both differ, by a generalised linear model's p-value below 0.05
and by an effect size (Cohen's d) of at least 0.5. Here the sick ones have to be the worse ones, too.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from benchmarks.accuracy.cases import PARTS
from benchmarks.accuracy.faults import FAULTS
from benchmarks.accuracy.measure import Result

_SURE = 1.96  # standard normal: p < 0.05, as a generalised linear model of normal values gives it
_EFFECT = 0.5  # Cohen's d: at least a medium one


def harmed(sick: Iterable[Result], healthy: Sequence[Result]) -> set[str]:
    """Return the keys of the runs of the faults that harm: judged together are the seeds of one fault and program.

    They are compared with their twin's seeds where two or more of those were trained, else with all healthy runs of the
    same pair of data and model, whose spread is wider: so fewer faults count as harmful.
    """
    together: dict[tuple[object, ...], list[Result]] = defaultdict(list)
    for result in sick:
        together[(result.fault, result.strength, _without_seed(result.program))].append(result)
    return {result.key for results in together.values() if _harms(results, healthy) for result in results}


def is_worse(skills: Sequence[float], usual: Sequence[float]) -> bool:
    """Tell whether skills (1 at best, 0 as guessing) are worse than usual ones, by p-value and by effect size.

    Who is worse than guessing, or has failed, counts as guessing: how much worse would drown all other differences.
    """
    if not skills or not usual or len(skills) + len(usual) < 3:
        return False
    low, high = ([max(skill, 0.0) if math.isfinite(skill) else 0.0 for skill in those] for those in (skills, usual))
    squares = sum((skill - fmean(those)) ** 2 for those in (low, high) for skill in those)
    spread = math.sqrt(squares / (len(low) + len(high) - 2))
    lost = fmean(high) - fmean(low)
    return lost > _EFFECT * spread and lost > _SURE * spread * math.sqrt(1 / len(low) + 1 / len(high))


def _harms(results: Sequence[Result], healthy: Sequence[Result]) -> bool:
    program = results[0].program
    of_pair = [one for one in healthy if all(one.program[name] == program[name] for name in ("data", "model"))]
    twins = _twins(results[0])
    same = [one.skill for one in of_pair if _without_seed(one.program) in twins]
    usual = same if len(same) > 1 else [one.skill for one in of_pair]
    return is_worse([result.skill for result in results], usual)


def _twins(result: Result) -> set[tuple[object, ...]]:
    """Return the programs, without their seeds, that have the fault where they are spoilt as this one is."""
    fault = next(fault for fault in FAULTS if fault.name == result.fault)
    spoilt, found = _without_seed(result.program), set()
    for program in (program for part in PARTS.values() for program in part if fault.fits(program)):
        if _without_seed(asdict(fault.sick(program, result.strength or ""))) == spoilt:
            found.add(_without_seed(asdict(fault.healthy(program))))
    return found


def _without_seed(program: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(value for name, value in sorted(program.items()) if name != "seed")
