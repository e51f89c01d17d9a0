"""The illnesses of ``trainhealth demo``."""

from __future__ import annotations

from functools import partial

from programs import Pair, Training
from trainhealth.demo.programs import ILLNESSES, Program
from trainhealth.demo.training import train

DISK = 85_000  # bytes: enough for the pictures of the documentation


def _training(program: Program) -> Training:
    return partial(train, program, disk=DISK)


PAIRS = tuple(
    Pair(illness.name, illness.what, _training(illness.program), _training(illness.healthy_program))
    for illness in ILLNESSES
)
