"""One rank's scalar signals: those of steps, and those of epochs and evaluations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainhealth.growing import GrowingSeries
from trainhealth.logged_numbers import Number, to_float
from trainhealth.records import EvaluationRecord
from trainhealth.series import FloatArray, IntArray, Series


class Scalars:
    """Scalar signals by name.

    A name may have values of steps and of evaluations (train_loss, which `watch.epoch` may give again as the epoch's
    mean). They are kept apart, because a run that is resumed at step n replaces step n but not the evaluation that was
    made when n steps were finished.
    """

    def __init__(self) -> None:
        self.of_steps: dict[str, GrowingSeries] = {}
        self.of_evaluations: dict[str, GrowingSeries] = {}

    def extend(self, name: str, steps: IntArray, values: FloatArray) -> None:
        """Add values of steps."""
        if name not in self.of_steps:
            self.of_steps[name] = GrowingSeries()
        self.of_steps[name].extend(steps, values)

    def evaluate(self, name: str, step: int, value: float) -> None:
        """Add a value of an epoch or evaluation, made when `step` steps were finished."""
        self.of_evaluations.setdefault(name, GrowingSeries()).append(step, value)

    def evaluate_all(self, records: Sequence[EvaluationRecord]) -> None:
        """Add the values of many evaluations: the same as one after the other, faster."""
        columns: dict[str, tuple[list[int], list[Number]]] = {}
        for record in records:
            for name, value in record.values.items():
                steps, values = columns.setdefault(name, ([], []))
                steps.append(record.step)
                values.append(value)
        for name, (steps, values) in columns.items():
            series = self.of_evaluations.setdefault(name, GrowingSeries())
            numbers = np.array(steps, np.int64)
            if numbers[0] >= series.last_step and bool((numbers[1:] >= numbers[:-1]).all()):
                series.extend(numbers, np.array(values, np.float64))
            else:
                for step, value in zip(steps, values, strict=True):
                    series.append(step, to_float(value))

    def truncate(self, step: int, finished: int) -> None:
        """Forget the steps from `step` on, and the evaluations made when `finished` steps or more were finished."""
        for series in self.of_steps.values():
            series.truncate(step)
        for series in self.of_evaluations.values():
            series.truncate(finished)

    def view(self) -> dict[str, Series]:
        """Return the series by name; of a name that has values of steps, those."""
        views = {name: series.view(name) for name, series in self.of_evaluations.items() if len(series)}
        return views | {name: series.view(name) for name, series in self.of_steps.items() if len(series)}
