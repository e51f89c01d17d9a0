"""Turns what happens in a training loop into records: counts steps, runs the probes of sampled steps, writes."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.optim import Optimizer

from trainhealth.hooks.batch_reader import BatchReader
from trainhealth.hooks.batches import MicroBatch, fill_in, merged_losses
from trainhealth.hooks.guard import Guard
from trainhealth.hooks.loading import Loading
from trainhealth.hooks.probes.modes import strongest_dropout
from trainhealth.hooks.rates import Rates
from trainhealth.hooks.sampler import Sampler
from trainhealth.hooks.transfer import Transfer
from trainhealth.hooks.warning import warn_once
from trainhealth.hooks.witness import Witness
from trainhealth.records import EventRecord, Record, StepRecord, encode, encode_step

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from trainhealth.hooks.governor import Governor
    from trainhealth.hooks.probes.base import Probe
    from trainhealth.hooks.writer import Writer


PATIENCE = 256  # micro-batches before the first update: more are not accumulated, the update is forgotten


class Recorder:
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
        self.writer = writer
        self.governor = governor
        self.next_step = first_step
        self.forwards = 0  # with gradients enabled, since the last call of `step`
        self.batch_entering: int | None = None
        self.time_major = False  # the models' inputs are [time, examples, ...]: targets may be, too
        self.reads_batch_size = True  # from what enters the model: there are no targets to tell it
        self._witness: Witness | None = None
        self.thread = threading.get_ident()  # the one that trains; forwards of others are nobody's step
        self.facts: dict[str, Any] = {}
        self.loading = Loading()
        self.finite = True  # whether the last loss was
        self.optimizers = tuple(optimizers)
        self._rates = Rates(optimizers)
        self._transfer = Transfer()
        self._pending: list[MicroBatch] = []
        self._updates = 0  # of any optimizer, since the last step ended
        self._sees_forwards = False  # some scripts call model.forward or parts of the model: no hook sees that
        self._never_updated = True  # no optimizer has, so far
        self._waits_no_more = False  # for an update
        self._updating = False  # inside an optimizer's step
        self._refusals: list[Tensor] = []  # not 0 where a fused optimizer, under a loss scaler, refuses its update
        self._compiled_update = False  # one has happened in compiled code and was not yet noticed
        self.updates_seen = bool(self.optimizers)  # before they happen
        self._failed: set[str] = set()  # parts of our own that have raised
        self._written_size: int | None = None  # the batch size that stands in the file: logged when it changes
        self._told_gathering = self._told_thinning = False
        self._handles: list[RemovableHandle] = []
        self.sampler = Sampler(models, probes, self)
        self._reader = BatchReader(self, strongest_dropout(models.values()))
        self.use_optimizers(self.optimizers)
        self.sampler.arm()

    # --- the training loop's calls -------------------------------------------------------------------------------

    def step(self, loss: Any, outputs: Any, targets: Any, number: Any) -> None:
        """Take one call of the user's `step`."""
        self.thread = threading.get_ident()
        if self._compiled_update:
            self.notice_compiled_update()
        if outputs is not None and not isinstance(outputs, Tensor):
            outputs = self._reader.prediction_in(outputs)
        targets = targets if isinstance(targets, Tensor) else None
        plain = (
            self.sampler.sample is None
            and self._updates
            and type(loss) is Tensor
            and (number is None or number == self.next_step)
            and not self._pending
            and not self._refusals
        )
        if plain and self._plain_step(loss, outputs, targets):
            return
        with self.guarded("step"):
            self._transfer.poll()
            if isinstance(number, int) and not self._pending:
                self.next_step = number
            self._pending.append(self.micro_batch(loss, outputs, targets))
            self._see_forwards()
            self.forwards = 0
            if self._updates or not self.optimizers:
                self._finish_step()
            elif self.sampler.scalers.skipped():
                self._finish_step(skipped=True)
            elif self._never_updated and (self._waits_no_more or len(self._pending) >= PATIENCE):
                self.end_without_update()

    def end_without_update(self) -> None:
        """Where no optimizer has ever updated anything, take every call of `step` for a step: it is forgotten there."""
        if self._never_updated and self._pending and not self._updates:
            self._waits_no_more = True
            batches = self._pending
            for batch in batches:
                self._pending = [batch]
                self._finish_step()

    def micro_batch(self, loss: Any, outputs: Tensor | None, targets: Tensor | None) -> MicroBatch:
        """Return what one call of `step` has told."""
        return self._reader.read(loss, outputs, targets)

    @property
    def wants_labels(self) -> bool:
        """Whether outputs and targets of the step under way will be looked at: not always, where that costs much."""
        sampled = self.sampler.sample is not None
        return sampled or not self._reader.described or self.governor.affords(self._reader.accuracy_cost)

    def end_step(self, batches: list[MicroBatch], *, skipped: bool = False) -> None:
        """End a step of `batches`, made with `micro_batch`, for who knows where steps end (an observed script)."""
        with self.guarded("step"):
            self._transfer.poll()
            self._pending = batches
            self._see_forwards()
            self.forwards = 0
            self._finish_step(skipped=skipped)

    def use_optimizers(self, optimizers: Sequence[Optimizer]) -> None:
        """Watch these optimizers from here on: a script may make a new one for the same models."""
        for handle in self._handles:
            handle.remove()
        self.optimizers, self._rates = tuple(optimizers), Rates(optimizers)
        self._handles = [optimizer.register_step_pre_hook(self._before_update) for optimizer in optimizers]
        self._handles += [optimizer.register_step_post_hook(self._after_update) for optimizer in optimizers]

    def emit(self, record: Record) -> None:
        """Write a record after all that came before it."""
        self._transfer.submit([], lambda _: self.write(encode(record)))

    def submit(self, tensors: list[Tensor], deliver: Callable[[list[Tensor]], None]) -> None:
        """Bring `tensors` to the host and hand them to `deliver`, after all that came before."""
        self._transfer.submit(tensors, deliver)

    def flush(self) -> None:
        """Bring over and write everything that is still under way."""
        with self.guarded("flush"):
            self._transfer.poll(wait=True)
            self.writer.flush()

    def close(self) -> None:
        """Take every hook off and write what is left."""
        if self._compiled_update:
            self.notice_compiled_update()
        with self.guarded("step"):
            self.end_without_update()
        self.sampler.close()
        if self._witness is not None:
            self._witness.close()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.flush()
        # a handle that is still around must not keep the optimizer in memory
        self.optimizers, self._rates = (), Rates(())

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
    def updating(self) -> bool:
        """Whether an optimizer's step is under way (a closure's forwards and backwards run inside it)."""
        return self._updating

    def notice_compiled_update(self) -> None:
        """Catch up with an update that happened in compiled code: before the next forward, or the next `step`."""
        self._compiled_update, self.updates_seen = False, False
        with self.guarded("rates"):
            self._rates.read()
        self._updated()

    def forward_began(self) -> None:
        """A forward with gradients enabled begins, or (where those are not seen) a backward."""
        if self._compiled_update:
            self.notice_compiled_update()
        if self._pending and self.sampler.scalers.skipped():
            with self.guarded("step"):  # `step` was called before the update that the scaler skipped
                self._finish_step(skipped=True)
        self.forwards += 1

    @property
    def batches_pending(self) -> int:
        """How many calls of `step` the present step has had."""
        return len(self._pending)

    def _before_update(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if is_compiling():
            return
        self._updating = True
        try:
            self._rates.read()
        except Exception as error:  # noqa: BLE001  # as in a guard, which would cost more than reading a rate
            self.failed("rates", error)
        refusal = optimizer.__dict__.get("found_inf")
        if refusal is not None:
            self._refusals.append(refusal.detach())
        if self.sampler.sample is not None or self.sampler.eve:
            self.sampler.before_update(optimizer)

    def _after_update(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if is_compiling():
            self._compiled_update = True  # is compiled into one assignment after the graph
            return
        if self.sampler.sample is not None:
            self.sampler.after_update(optimizer)
        self._updated()
        self._updating = False

    def _updated(self) -> None:
        self._never_updated = False
        if self.forwards == 0 and self._pending:
            with self.guarded("step"):  # `step` was called between backward and the update
                self._updates += 1
                self._finish_step()
        elif self.forwards or not self._sees_forwards:
            self._updates += 1  # else: a second optimizer's update, after the first one's has ended the step

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

    def _plain_step(self, loss: Tensor, outputs: Tensor | None, targets: Tensor | None) -> bool:
        """Record a step that is not sampled, of one batch and one loss on the host; return False where it is not such.

        Nearly all steps are: this path does the work of the general one in a few microseconds.
        """
        began = time.perf_counter()
        reader, governor = self._reader, self.governor
        if not (loss.is_cpu and loss.numel() == 1 and reader.described) or self._transfer.waiting:
            return False
        try:
            accuracy: float | None = None
            if outputs is not None and targets is not None and governor.affords(reader.accuracy_cost):
                if torch._C._len_torch_function_stack() or torch._C._len_torch_dispatch_stack():
                    return False  # a mode of the user's would see what we do
                accuracy = reader.accuracy(outputs, targets)
            value = loss.item()
            finite = math.isfinite(value)
            if self.finite and not finite:
                governor.surprise()
            self.finite = finite
            rate, rates = self._rates.changes()
            if rates is not None:
                self._rates.forget()  # for the general path, which knows how to write them
                return False
            size = self.batch_entering
            if targets is not None and not self.time_major and targets.dim():
                size = targets.shape[0]
                self.reads_batch_size = False
            else:
                self.reads_batch_size = True
            changed = None if size == self._written_size else size
            self._written_size = size
            self.write(
                encode_step(
                    self.next_step, time.time(), value, train_accuracy=accuracy, learning_rate=rate, batch_size=changed
                )
            )
            self.next_step += 1
            self._updates = self.forwards = 0
            self.loading.ended_at = ended = time.perf_counter()
            if governor.plain_step_finished(ended, ended - began, self.next_step):
                self.sampler.arm()
            else:
                self.sampler.scalers.step_ended()
        except Exception as error:  # noqa: BLE001  # as in a guard: nothing of ours reaches the training
            self.failed("step", error)
        return True

    def _finish_step(self, *, skipped: bool = False) -> None:
        began, charged = time.perf_counter(), self.governor.spent
        step, now = self.next_step, time.time()
        self.next_step += 1
        batches, self._pending = self._pending, []
        refusals, self._refusals = self._refusals, []
        refused = len(refusals) if len(refusals) == self._updates else 0  # where all are, the step is skipped
        self._updates = 0
        rate, rates = self._rates.changes()
        size = sum(batch.size or 0 for batch in batches) or None
        changed_size = size if size != self._written_size else None
        self._written_size = size
        on_device = [v for b in batches for v in (*b.losses.values(), b.accuracy) if isinstance(v, Tensor)]
        on_device += refusals[:refused]

        def deliver(host: list[Tensor]) -> None:
            numbers = host[0].tolist() if host else []
            fill_in(batches, numbers)
            skip = skipped or (refused > 0 and all(numbers[-refused:]))
            self._write_step(step, now, batches, rate, rates, changed_size, skipped=skip)

        wide = torch.float64 if any(v.dtype is torch.float64 for v in on_device) else torch.float32
        host = [torch.stack([v.to(on_device[0].device, wide) for v in on_device])] if on_device else []
        if self.sampler.sample is not None and size:
            self.sampler.sample.batch_size = size
        self._transfer.submit(host, deliver)
        self.sampler.finish()
        self.sampler.step_ended()
        self.charge(time.perf_counter() - began - (self.governor.spent - charged))  # to this step, not to the next
        self.governor.step_finished(self.next_step)
        self._tell_thinning()
        self.sampler.arm()
        self.loading.ended_at = time.perf_counter()

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
        judged = [(batch.accuracy, batch.size or 1) for batch in batches if isinstance(batch.accuracy, float)]
        accuracy = sum(a * n for a, n in judged) / sum(n for _, n in judged) if judged else None
        finite = total is None or math.isfinite(total)
        if self.finite and not finite:
            self.governor.surprise()
        self.finite = finite
        if len(batches) == 1 and not parts and rates is None and not skipped:
            line = encode_step(step, now, total, train_accuracy=accuracy, learning_rate=rate, batch_size=size)
        else:
            line = encode(
                StepRecord(
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
            )
        self.write(line)

    # --- writing -------------------------------------------------------------------------------------------------

    def write(self, line: bytes) -> None:
        """Append a line to the file."""
        self.writer.write(line)
        if self.writer.gathering and not self._told_gathering:
            self._told_gathering = True
            message = "writing is slow here: records are gathered for up to a second"
            self.emit(EventRecord(step=self.next_step, time=time.time(), event="writes-gathered", message=message))
        if self.writer.failure is not None:
            reason = self.writer.failure.strerror or str(self.writer.failure)
            warn_once(f"{self.writer.path}: {reason}. Logging has stopped; training goes on.")

    def _tell_thinning(self) -> None:
        if self.governor.thinned_by_disk and not self._told_thinning:
            self._told_thinning = True
            message = "fewer steps are sampled than time would allow, so that the log stays within `disk`"
            self.tell("samples-thinned", message)

    def tell(self, event: str, message: str) -> None:
        """Write down, for who reads the log, something about the watching."""
        self.emit(EventRecord(step=self.next_step, time=time.time(), event=event, message=message))

    def report(self, event: str, what: str, error: Exception, data: dict[str, Any]) -> None:
        """Tell the log and the user, once, that a part of ours has failed."""
        cause = f"{type(error).__name__}: {error}"
        message = f"{what} failed and is switched off: {cause}"
        self.emit(EventRecord(step=self.next_step, time=time.time(), event=event, message=message, data=data))
        warn_once(f"trainhealth: {message}. Training goes on.")
