"""Reads one call of `step`: the loss, the accuracy where it can be afforded, and, once, what the run is about."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from trainhealth.hooks import loss as losses
from trainhealth.hooks import targets as labels
from trainhealth.hooks.batches import MicroBatch, scalar
from trainhealth.hooks.tensors import prediction_in
from trainhealth.records import EventRecord

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder


class BatchReader:
    """Makes a `MicroBatch` of what a script passes to `step`, whatever that is."""

    def __init__(self, recorder: Recorder, dropout: float) -> None:
        self.described = False  # the first batch has been
        self.accuracy_cost = 0.0  # seconds, moving mean; infinite where it has failed
        self._recorder = recorder
        self._dropout = dropout  # the strongest of the models

    def read(self, loss: Any, outputs: Tensor | None, targets: Tensor | None) -> MicroBatch:
        """Return losses, accuracy and size of one batch."""
        recorder = self._recorder
        parts = {str(name): part for name, part in loss.items()} if isinstance(loss, Mapping) else {"": loss}
        first = next(iter(parts.values()), None)
        accuracy = None
        if not self.described:
            self.described = True
            try:
                self._describe(first, outputs, targets)
            except Exception as error:  # noqa: BLE001  # whatever was passed as outputs and targets, the loss is there
                recorder.report("labels-disabled", "reading the first batch", error, {})
        sampled = recorder.sampler.sample is not None
        try:
            if (
                outputs is not None
                and targets is not None
                and (sampled or recorder.governor.affords(self.accuracy_cost))
            ):
                accuracy = self._accuracy(outputs, targets)
        except Exception as error:  # noqa: BLE001  # likewise
            self.accuracy_cost = math.inf
            recorder.report("labels-disabled", "the accuracy", error, {})
        if sampled:
            recorder.sampler.given.keep(first, outputs, targets)
        leading = targets if targets is not None and targets.dim() else outputs
        size = recorder.batch_entering
        recorder.reads_batch_size = leading is None or not leading.dim() or recorder.time_major
        if leading is not None and leading.dim() and not (recorder.time_major and size):
            size = leading.shape[0]
        numbers = {name: value for name, part in parts.items() if (value := scalar(part)) is not None}
        return MicroBatch(numbers, accuracy, size)

    def accuracy(self, outputs: Tensor, targets: Tensor) -> float | None:
        """Return the accuracy of a batch on the host; None where there is no such thing, or it cannot be had."""
        try:
            share = self._accuracy(outputs, targets)
        except Exception as error:  # noqa: BLE001  # as in `read`
            self.accuracy_cost = math.inf
            self._recorder.report("labels-disabled", "the accuracy", error, {})
            return None
        return float(share) if share is not None else None

    def prediction_in(self, outputs: Any) -> Tensor | None:
        """Return the prediction in outputs that are no tensor; foreign objects may do anything when they are asked."""
        try:
            return prediction_in(outputs)
        except Exception as error:  # noqa: BLE001  # likewise
            self._recorder.report("labels-disabled", "reading the outputs", error, {})
            return None

    def _accuracy(self, outputs: Tensor, targets: Tensor) -> Tensor | float | None:
        if self.accuracy_cost == math.inf:
            return None
        began = time.perf_counter()
        share = labels.accuracy(outputs.detach(), targets, self._recorder.facts.get("loss_function"))
        number = None if share is None else scalar(share)
        self.accuracy_cost += 0.1 * (time.perf_counter() - began - self.accuracy_cost)
        return number

    def _describe(self, loss: Any, outputs: Tensor | None, targets: Tensor | None) -> None:
        """Write down what the first batch shows: loss function, task, classes."""
        recorder = self._recorder
        facts = losses.describe(loss, outputs)
        facts |= labels.describe(outputs, targets, facts.get("loss_function"))
        if "classes" not in facts and facts.get("loss_function") == "cross_entropy":
            last = [entry for entry in recorder.sampler.places.entries if not entry.activation]
            if last and last[-1].units:
                facts |= {"task": "classification", "classes": last[-1].units}
        facts |= recorder.sampler.sequences.describe(loss, outputs, targets, facts)
        factor = losses.factor_of(loss, outputs, targets, facts)
        if factor is not None and math.isfinite(factor):
            facts["loss_factor"] = factor
        recorder.facts = recorder.facts | facts | {"dropout": self._dropout}
        recorder.emit(EventRecord(step=recorder.next_step, time=time.time(), event="facts", data=recorder.facts))
