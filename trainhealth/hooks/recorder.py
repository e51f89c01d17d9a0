"""Turns what happens in a training loop into records: counts steps, runs the probes of sampled steps, writes."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth.hooks.batch_reader import BatchReader
from trainhealth.hooks.batches import MicroBatch, fill_in, merged_accuracy, merged_losses, merged_size
from trainhealth.hooks.guard import Guard
from trainhealth.hooks.journal import Journal
from trainhealth.hooks.loading import Loading
from trainhealth.hooks.plain_steps import PlainSteps
from trainhealth.hooks.probes.modes import strongest_dropout
from trainhealth.hooks.sampler import Sampler
from trainhealth.hooks.unseen_updates import UnseenUpdates
from trainhealth.hooks.updates import Updates
from trainhealth.hooks.witness import Witness
from trainhealth.records import EventRecord, StepRecord, encode

if TYPE_CHECKING:
    from trainhealth.hooks.governor import Governor
    from trainhealth.hooks.probes.base import Probe
    from trainhealth.hooks.writer import Writer


PATIENCE = 256  # micro-batches before the first update: more are not accumulated, the update is forgotten


class Recorder(Journal):
    """Matches forwards, backwards and updates to steps by the order in which they happen, and records them.

    A step ends with a call of `step` after an update, or with the update that follows such a call; calls without an
    update between them are micro-batches of one step.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        optimizers: Sequence[Optimizer],
        writer: Writer,
        governor: Governor,
        probes: Iterable[Probe],
        first_step: int = 0,
    ) -> None:
        super().__init__(writer, governor, first_step)
        self.forwards = 0  # with gradients enabled, since the last call of `step`
        self.batch_entering: int | None = None
        self.time_major = False  # the models' inputs are [time, examples, ...]: targets may be, too
        self.reads_batch_size = True  # from what enters the model: there are no targets to tell it
        self.written_size: int | None = None  # the batch size that stands in the file: logged when it changes
        self.thread = threading.get_ident()  # the one that trains; forwards of others are nobody's step
        self.facts: dict[str, Any] = {}
        self.loading = Loading()
        self.finite = True  # whether the last loss was
        self._witness: Witness | None = None
        self._pending: list[MicroBatch] = []
        self._sees_forwards = False  # some scripts call model.forward or parts of the model: no hook sees that
        self._waits_no_more = False  # for an update
        self._failed: set[str] = set()  # parts of our own that have raised
        self.plain = PlainSteps(self)
        self.updates = Updates(self, optimizers)
        self.unseen = UnseenUpdates(self)
        self.sampler = Sampler(models, probes, self)
        self.reader = BatchReader(self, strongest_dropout(models.values()))
        self.sampler.arm()

    # --- the training loop's calls -------------------------------------------------------------------------------

    def step(self, loss: Any, outputs: Any, targets: Any, number: Any) -> None:
        """Take one call of the user's `step`."""
        if self.plain.under_way and self.plain.took(loss, outputs, targets, number):
            return
        self.thread = threading.get_ident()
        if self.updates.unnoticed:
            self.updates.notice()
        if outputs is not None and not isinstance(outputs, Tensor):
            outputs = self.reader.prediction_in(outputs)
        targets = targets if isinstance(targets, Tensor) else None
        with self.guarded("step"):
            self.transfer.poll()
            if isinstance(number, int) and not self._pending:
                self.next_step = number
            self._pending.append(self.micro_batch(loss, outputs, targets))
            self._see_forwards()
            self.forwards = 0
            if self.updates.count or not self.optimizers:
                self._finish_step(usual=self.updates.count > 0, before=False)
            elif self.sampler.scalers.skipped():
                self._finish_step(skipped=True)
            elif self.unseen.unknown or self.unseen.found(len(self._pending)):
                self._end_each()
            elif self.updates.never and (self._waits_no_more or len(self._pending) >= PATIENCE):
                self.end_without_update()

    def learn(self, name: str, value: Any, *, anew: bool = False) -> None:
        """Write down a fact that shows only now; once, unless it has turned out to be another one (`anew`)."""
        if name not in self.facts or anew:
            self.facts = self.facts | {name: value}
            self.emit(EventRecord(step=self.next_step, time=time.time(), event="facts", data={name: value}))

    def end_without_update(self) -> None:
        """Where no optimizer has ever updated anything, take every call of `step` for a step: it is forgotten there."""
        if self.updates.never and self._pending and not self.updates.count:
            self._waits_no_more = True
            self._end_each()

    def micro_batch(self, loss: Any, outputs: Tensor | None, targets: Tensor | None) -> MicroBatch:
        """Return what one call of `step` has told."""
        return self.reader.read(loss, outputs, targets)

    @property
    def wants_labels(self) -> bool:
        """Whether outputs and targets of the step under way will be looked at: not always, where that costs much."""
        sampled = self.sampler.sample is not None
        return sampled or not self.reader.described or self.governor.affords(self.reader.accuracy_cost)

    def end_step(self, batches: list[MicroBatch], *, skipped: bool = False) -> None:
        """End a step of `batches`, made with `micro_batch`, for who knows where steps end (an observed script)."""
        self.plain.end()
        with self.guarded("step"):
            self.transfer.poll()
            self._pending = batches
            self._see_forwards()
            self.forwards = 0
            self._finish_step(skipped=skipped)

    def use_optimizers(self, optimizers: Sequence[Optimizer]) -> None:
        """Watch these optimizers from here on: a script may make a new one for the same models."""
        self.plain.end()
        self.updates.use(optimizers)

    def evaluation_told(self) -> None:
        """The script tells of an evaluation that it has made."""
        self.plain.evaluation_told()

    def flush(self) -> None:
        """Bring over and write everything that is still under way."""
        with self.guarded("flush"):
            self.bring_over()

    def close(self) -> None:
        """Take every hook off and write what is left."""
        self.plain.end()
        if self.updates.unnoticed:
            self.updates.notice()
        with self.guarded("step"):
            self.end_without_update()
        self.sampler.close()
        if self._witness is not None:
            self._witness.close()
        self.flush()
        self.updates.close()  # a handle that is still around must not keep the optimizer in memory

    # --- what the hooks call -------------------------------------------------------------------------------------

    def guarded(self, part: str) -> Guard:
        """Return the context in which our code runs inside the user's."""
        return Guard(self, part, self.governor)

    def charge(self, seconds: float) -> None:
        """Count time that was ours."""
        self.governor.spent += seconds
        if self.sampler.sample is not None:
            self.sampler.sample.cost += seconds

    def failed(self, part: str, error: Exception) -> None:
        """An error outside of any probe: sampling ends, the scalars go on."""
        with contextlib.suppress(Exception):  # the last resort: there is nobody left to tell
            if self.sampler.switch_off() or part not in self._failed:
                self._failed.add(part)
                self.report("sampling-disabled", f"sampling ({part})", error, {"part": part})

    @property
    def optimizers(self) -> tuple[Optimizer, ...]:
        """The optimizers that are watched."""
        return self.updates.optimizers

    def forward_began(self) -> None:
        """A forward with gradients enabled begins, or (where those are not seen) a backward."""
        if self.updates.unnoticed:
            self.updates.notice()
        if self._pending and self.sampler.scalers.skipped():
            with self.guarded("step"):  # `step` was called before the update that the scaler skipped
                self._finish_step(skipped=True)
        elif len(self.plain.held) >= self.unseen.patience:
            self.plain.end()
        self.forwards += 1

    @property
    def batches_pending(self) -> int:
        """How many calls of `step` the present step has had."""
        return len(self._pending)

    def take_back(self, batches: list[MicroBatch]) -> None:
        """Go on with calls of `step` that wait for an update, and turned out not to be plain."""
        self._pending = batches

    def updated(self) -> None:
        """An optimizer has made an update."""
        updates = self.updates
        updates.never = False
        if self.forwards == 0 and self._pending:
            with self.guarded("step"):  # `step` was called between backward and the update
                updates.count += 1
                self._finish_step(usual=True, before=True)
        elif self.forwards or not self._sees_forwards or len(updates.optimizers) == 1:
            updates.count += 1  # else: a second optimizer's update, after the first one's has ended the step

    def _see_forwards(self) -> None:
        """Where no forward was seen although a step ends, look out for backwards instead."""
        if not self._sees_forwards:
            self._sees_forwards = True
            if self.forwards == 0 and self.optimizers:
                self._witness = Witness(self.optimizers, self._backward_began, self.sampler.backward_ended)

    def _backward_began(self) -> bool:
        self.forward_began()
        return self.sampler.sample is not None

    # --- steps ---------------------------------------------------------------------------------------------------

    def _end_each(self) -> None:
        """Take every call of `step` that waits for a step."""
        batches = self._pending
        for batch in batches:
            self._pending = [batch]
            self._finish_step()

    def _finish_step(self, *, skipped: bool = False, usual: bool = False, before: bool = False) -> None:
        """End the step under way; it is `usual` where an update has made it, also one that a call stands `before`."""
        began, charged = time.perf_counter(), self.governor.spent
        step, now = self.next_step, time.time()
        self.next_step += 1
        batches, self._pending = self._pending, []
        self.unseen.step_ended(len(batches))
        if len(batches) > 1:
            self.learn("micro_batches", len(batches))
        plain = usual and not self.updates.compiled and all(list(batch.losses) == [""] for batch in batches)
        refusals = self.updates.take_refusals()
        rate, rates = self.updates.rates.changes()
        size = merged_size(batches)
        changed_size = size if size != self.written_size else None
        self.written_size = size
        on_device = [v for b in batches for v in (*b.losses.values(), b.accuracy) if isinstance(v, Tensor)]
        on_device += refusals

        def deliver(host: list[Tensor]) -> None:
            numbers = host[0].tolist() if host else []
            fill_in(batches, numbers)
            skip = skipped or (bool(refusals) and all(numbers[-len(refusals) :]))  # where all are, the step is
            self._write_step(step, now, batches, rate, rates, changed_size, skipped=skip)

        wide = torch.float64 if any(v.dtype is torch.float64 for v in on_device) else torch.float32
        host = [torch.stack([v.to(on_device[0].device, wide) for v in on_device])] if on_device else []
        sampled = self.sampler.sample is not None
        if self.sampler.sample is not None and size:
            self.sampler.sample.batch_size = size
        self.transfer.submit(host, deliver)
        self.sampler.finish()
        self.sampler.step_ended()
        self.charge(time.perf_counter() - began - (self.governor.spent - charged))  # to this step, not to the next
        self.governor.step_finished(self.next_step)
        self.sampler.arm()
        self.loading.ended_at = time.perf_counter()
        if plain:
            self.plain.follow(sampled=sampled, before=before, accumulates=len(batches) > 1)

    def _write_step(
        self,
        step: int,
        now: float,
        batches: list[MicroBatch],
        rate: float | None,
        rates: list[float] | None,
        size: int | None,
        *,
        skipped: bool,
    ) -> None:
        total, parts = merged_losses(batches)
        accuracy = merged_accuracy(batches)
        finite = total is None or math.isfinite(total)
        if self.finite and not finite:
            self.governor.surprise()
        self.finite = finite
        if len(batches) == 1 and not parts and rates is None and not skipped:
            self.writer.write_step(step, now, total, accuracy, rate, size)
            self.notice_failure()
            return
        record = StepRecord(
            step=step,
            time=now,
            train_loss=total,
            losses=parts or None,
            train_accuracy=accuracy,
            learning_rate=rate,
            learning_rates=list(rates) if rates else None,
            batch_size=size,
            micro_batches=len(batches) if len(batches) > 1 else None,
            skipped=skipped,
        )
        self.write(encode(record))
