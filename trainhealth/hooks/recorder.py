"""Turns what happens in a training loop into records: counts steps, runs the probes of sampled steps, writes."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth.hooks import loss as losses
from trainhealth.hooks import targets as labels
from trainhealth.hooks.guard import Guard
from trainhealth.hooks.observer import Observer
from trainhealth.hooks.places import Places
from trainhealth.hooks.probes.dead_units import DeadUnits, bit_set
from trainhealth.hooks.rates import Rates
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.scaling import loss_scale
from trainhealth.hooks.tensors import in_dispatch_mode
from trainhealth.hooks.transfer import Transfer
from trainhealth.hooks.warning import warn_once
from trainhealth.records import (
    EventRecord,
    LayoutRecord,
    ParameterEntry,
    Record,
    SampleRecord,
    StepRecord,
    encode,
    encode_step,
)

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from trainhealth.hooks.governor import Governor
    from trainhealth.hooks.probes.base import Probe
    from trainhealth.hooks.writer import Writer

_METHODS = ("batch_entered", "layer_finished", "layer_repeated", "backward_ended", "before_update", "after_update")


@dataclass(slots=True)
class _MicroBatch:
    """One call of `step`: its losses by name ("" where there is one), on the device or already a float."""

    losses: dict[str, Tensor | float]
    accuracy: Tensor | float | None
    size: int | None


@dataclass(slots=True)
class _Written:
    """What the file knows already: values that are logged only when they change."""

    batch_size: int | None = None
    parameters: list[ParameterEntry] = field(default_factory=list)
    layers: int = -1  # places in the newest layout
    layout: int = -1
    gathering: bool = False  # that writes are gathered


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
        self.places = Places()
        self.next_step = first_step
        self.sample: Sample | None = None  # of the step under way, where it is sampled
        self.forwards = 0  # with gradients enabled, since the last call of `step`
        self.batch_entering: int | None = None
        self.thread = threading.get_ident()  # the one that trains; forwards of others are nobody's step
        self.facts: dict[str, Any] = {}
        self.finite = True  # whether the last loss was
        self._optimizers = tuple(optimizers)
        self._probes = list(probes)
        self._index_probes()
        self._rates = Rates(optimizers)
        self._transfer = Transfer()
        self._pending: list[_MicroBatch] = []
        self._updates = 0  # of any optimizer, since the last step ended
        self._sees_forwards = False  # some scripts call model.forward or parts of the model: no hook sees that
        self._updating = False  # inside an optimizer's step
        self._remembered = False  # `before_update` has run for this sample
        self._committed: set[int] = set()  # parameters whose gradients an optimizer has used in this step
        self._described = False
        self._failed: set[str] = set()  # parts of our own that have raised
        self._accuracy_cost = 0.0
        self._depth = 0
        self._written = _Written()
        self._handles: list[RemovableHandle] = []
        self._models = dict(models)
        self._parameters = self._named_parameters()
        self.observers = [Observer(model, name, self) for name, model in models.items()]
        for optimizer in self._optimizers:
            self._handles.append(optimizer.register_step_pre_hook(self._before_update))
            self._handles.append(optimizer.register_step_post_hook(self._after_update))
        self._arm()

    # --- the training loop's calls -------------------------------------------------------------------------------

    def step(self, loss: Any, outputs: Any, targets: Any, number: Any) -> None:
        """Take one call of the user's `step`."""
        self.thread = threading.get_ident()
        outputs = outputs if isinstance(outputs, Tensor) else None
        targets = targets if isinstance(targets, Tensor) else None
        plain = self.sample is None and self._updates and type(loss) is Tensor and number is None and not self._pending
        if plain and self._plain_step(loss, outputs, targets):
            return
        with self.guarded("step"):
            self._transfer.poll()
            if isinstance(number, int) and not self._pending:
                self.next_step = number
            self._pending.append(self._micro_batch(loss, outputs, targets))
            self._sees_forwards = self._sees_forwards or self.forwards > 0
            self.forwards = 0
            if self._updates or not self._optimizers:
                self._finish_step()

    def emit(self, record: Record) -> None:
        """Write a record after all that came before it."""
        self._transfer.submit([], lambda _: self._write(encode(record)))

    def flush(self) -> None:
        """Bring over and write everything that is still under way."""
        with self.guarded("flush"):
            self._transfer.poll(wait=True)
            self.writer.flush()

    def close(self) -> None:
        """Take every hook off and write what is left."""
        for observer in self.observers:
            observer.close()
        for handle in self._handles:
            handle.remove()
        self._handles, self.sample = [], None
        self.flush()
        # a handle that is still around must not keep the model and its optimizer in memory
        self.observers, self._probes, self._parameters, self._models, self._optimizers = [], [], [], {}, ()
        self._rates = Rates(())
        self._index_probes()

    # --- what the hooks call -------------------------------------------------------------------------------------

    def guarded(self, part: str) -> Guard:
        """Return the context in which our code runs inside the user's."""
        return Guard(self, part)

    def charge(self, seconds: float) -> None:
        """Count time that was ours."""
        self.governor.spent += seconds
        if self.sample is not None:
            self.sample.cost += seconds

    def measure(self, method: str, *arguments: Any) -> None:
        """Call `method` of every probe that has it; one that raises is switched off."""
        if in_dispatch_mode():
            return
        for probe in self._having[method]:
            try:
                getattr(probe, method)(*arguments)
            except Exception as error:  # noqa: BLE001  # an instrument that fails must not reach the training
                self._probes.remove(probe)
                self._index_probes()
                self._report("probe-disabled", f"probe {probe.name}", error, {"probe": probe.name})

    def failed(self, part: str, error: Exception) -> None:
        """An error outside of any probe: sampling ends, the scalars go on."""
        self.sample = None
        with contextlib.suppress(Exception):  # the last resort: there is nobody left to tell
            for observer in self.observers:
                observer.release()
            if self._probes or part not in self._failed:
                self._failed.add(part)
                self._probes = []
                self._index_probes()
                self._report("sampling-disabled", f"sampling ({part})", error, {"part": part})

    def backward_ended(self) -> None:
        """A backward of a sampled step has returned."""
        sample = self.sample
        if sample is not None:
            with self.guarded("backward"):
                own = [parameter for parameter in self._parameters if parameter.index not in self._committed]
                self.measure("backward_ended", own, sample)

    @property
    def updating(self) -> bool:
        """Whether an optimizer's step is under way (a closure's forwards and backwards run inside it)."""
        return self._updating

    def _before_update(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._updating = True
        try:
            self._rates.read()
        except Exception as error:  # noqa: BLE001  # as in a guard, which would cost more than reading a rate
            self.failed("rates", error)
        if self.sample is not None:
            with self.guarded("update"):
                self.sample.loss_scale = loss_scale()
                if not self._remembered:
                    self._remembered = True
                    self.measure("before_update", self._parameters, self.sample)
                if len(self._optimizers) > 1:
                    owned = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
                    self._committed |= {p.index for p in self._parameters if id(p.tensor) in owned}

    def _after_update(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._updating = False
        if self.forwards == 0 and self._pending:
            with self.guarded("step"):  # `step` was called between backward and the update
                self._updates += 1
                self._finish_step()
        elif self.forwards or not self._sees_forwards:
            self._updates += 1  # else: a second optimizer's update, after the first one's has ended the step

    # --- steps ---------------------------------------------------------------------------------------------------

    def _plain_step(self, loss: Tensor, outputs: Tensor | None, targets: Tensor | None) -> bool:
        """Record a step that is not sampled, of one batch and one loss on the host; return False where it is not such.

        Nearly all steps are: this path does the work of the general one in a few microseconds.
        """
        began = time.perf_counter()
        accuracy_wanted = outputs is not None and targets is not None and self.governor.affords(self._accuracy_cost)
        if not (loss.is_cpu and loss.numel() == 1 and self._described) or accuracy_wanted or self._transfer.waiting:
            return False
        try:
            value = loss.item()
            finite = math.isfinite(value)
            if self.finite and not finite:
                self.governor.surprise()
            self.finite = finite
            rate, rates = self._rates.changes()
            if rates is not None:
                self._rates.forget()  # for the general path, which knows how to write them
                return False
            size = targets.shape[0] if targets is not None and targets.dim() else self.batch_entering
            changed_size = size if size != self._written.batch_size else None
            self._written.batch_size = size
            self._write(encode_step(self.next_step, time.time(), value, learning_rate=rate, batch_size=changed_size))
            self.next_step += 1
            self._updates = self.forwards = 0
            self._sees_forwards = True
            self.governor.step_finished()
            self._arm()
        except Exception as error:  # noqa: BLE001  # as in a guard: nothing of ours reaches the training
            self.failed("step", error)
        self.charge(time.perf_counter() - began)
        return True

    def _micro_batch(self, loss: Any, outputs: Tensor | None, targets: Tensor | None) -> _MicroBatch:
        parts = {str(name): part for name, part in loss.items()} if isinstance(loss, Mapping) else {"": loss}
        accuracy = None
        if not self._described:
            self._described = True
            try:
                self._describe(next(iter(parts.values()), None), outputs, targets)
            except Exception as error:  # noqa: BLE001  # whatever was passed as outputs and targets, the loss is there
                self._report("labels-disabled", "reading the first batch", error, {})
        try:
            accuracy = self._accuracy(outputs, targets)
        except Exception as error:  # noqa: BLE001  # likewise
            self._accuracy_cost = math.inf
            self._report("labels-disabled", "the accuracy", error, {})
        leading = targets if targets is not None and targets.dim() else outputs
        size = leading.shape[0] if leading is not None and leading.dim() else self.batch_entering
        return _MicroBatch(
            {name: value for name, part in parts.items() if (value := _scalar(part)) is not None},
            accuracy,
            size,
        )

    def _accuracy(self, outputs: Tensor | None, targets: Tensor | None) -> Tensor | float | None:
        """Return the batch's accuracy where it can be had within the budget."""
        if outputs is None or targets is None or self._accuracy_cost == math.inf:
            return None
        if self.sample is None and not self.governor.affords(self._accuracy_cost):
            return None
        began = time.perf_counter()
        share = labels.accuracy(outputs.detach(), targets, self.facts.get("loss_function"))
        self._accuracy_cost += 0.1 * (time.perf_counter() - began - self._accuracy_cost)
        return None if share is None else _scalar(share)

    def _describe(self, loss: Any, outputs: Tensor | None, targets: Tensor | None) -> None:
        """Write down, once, what the first batch shows: loss function, task, classes."""
        self.facts = losses.describe(loss)
        if outputs is not None:
            self.facts |= labels.describe(outputs.detach(), targets, self.facts.get("loss_function"))
        if "classes" not in self.facts and self.facts.get("loss_function") == "cross_entropy":
            last = [entry for entry in self.places.entries if not entry.activation]
            if last and last[-1].units:
                self.facts |= {"task": "classification", "classes": last[-1].units}
        self.emit(EventRecord(step=self.next_step, time=time.time(), event="facts", data=self.facts))

    def _finish_step(self) -> None:
        step, now = self.next_step, time.time()
        self.next_step += 1
        batches, self._pending = self._pending, []
        self._updates = 0
        rate, rates = self._rates.changes()
        size = sum(batch.size or 0 for batch in batches) or None
        changed_size = size if size != self._written.batch_size else None
        self._written.batch_size = size
        on_device = [v for b in batches for v in (*b.losses.values(), b.accuracy) if isinstance(v, Tensor)]

        def deliver(host: list[Tensor]) -> None:
            if host:
                _fill_in(batches, host[0].tolist())
            self._write_step(step, now, batches, rate, rates, changed_size)

        host = [torch.stack([v.to(on_device[0].device, torch.float32) for v in on_device])] if on_device else []
        self._transfer.submit(host, deliver)
        if self.sample is not None:
            self._finish_sample(self.sample)
        for observer in self.observers:
            observer.step_ended()
        self.governor.step_finished()
        self._arm()

    def _write_step(
        self,
        step: int,
        now: float,
        batches: list[_MicroBatch],
        rate: float | None,
        rates: list[float] | None,
        size: int | None,
    ) -> None:
        total, parts = _merged_losses(batches)
        judged = [(batch.accuracy, batch.size or 1) for batch in batches if isinstance(batch.accuracy, float)]
        accuracy = sum(a * n for a, n in judged) / sum(n for _, n in judged) if judged else None
        finite = total is None or math.isfinite(total)
        if self.finite and not finite:
            self.governor.surprise()
        self.finite = finite
        if len(batches) == 1 and not parts and rates is None:
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
                )
            )
        self._write(line)

    # --- samples -------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Decide whether the step that now begins is sampled."""
        if not self._probes or not self.writer.open or not self.governor.wants(self.next_step):
            return
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            return  # what we do would become a part of the user's graph
        self.sample = Sample(self.next_step)
        self._remembered = False
        self._committed = set()
        with self.guarded("layout"):
            self._parameters = self._named_parameters()
            if not self._optimizers:
                self._remembered = True
                self.measure("before_update", self._parameters, self.sample)

    def _finish_sample(self, sample: Sample) -> None:
        if self._remembered:
            self.measure("after_update", self._parameters, sample)
        if not any(observer.reached for observer in self.observers):
            sample.forget_layers()
        layout = self._layout()
        dead = next((probe for probe in self._probes if isinstance(probe, DeadUnits)), None)
        full, window = dead.full_windows() if dead else ({}, (0, 0))
        if sample.empty:
            self.sample = None
            return
        stacked = sample.stacked()
        home = stacked[0].device if stacked else None
        alive = [torch.cat([units.to(home) for units in full.values()])] if full else []
        now, names = time.time(), {name: len(units) for name, units in full.items()}
        lengths = {"layers": len(self.places.entries), "parameters": len(self._parameters), "inputs": 1}

        def deliver(host: list[Tensor]) -> None:
            bits = host.pop() if names else None
            tables = sample.columns(host, lengths)
            record = SampleRecord(
                step=sample.step,
                time=now,
                layout=layout,
                batch_size=sample.batch_size,
                layers=tables["layers"],
                parameters=tables["parameters"],
                inputs={name: column[0] for name, column in tables["inputs"].items() if column[0] is not None},
                dead_units=None if bits is None else self._dead_columns(names, bits),
                dead_window=list(window) if names else None,
                cost=1000 * sample.cost,
                interval=self.governor.interval,
                thinned=sorted(sample.thinned) or None,
            )
            line = encode(record)
            self._write(line)
            self.governor.sampled(sample.step, sample.cost, len(line))

        self._transfer.submit(stacked + alive, deliver)
        self.sample = None

    def _dead_columns(self, lengths: Mapping[str, int], alive: Tensor) -> list[str | None]:
        """Return, a layer in the layout's order, the bit set of its dead units; None where no window is full."""
        parts = dict(zip(lengths, torch.split(alive, list(lengths.values())), strict=True))
        return [bit_set(parts[e.name]) if e.name in parts else None for e in self.places.entries]

    def _layout(self) -> int:
        """Return the number of the layout in force, after writing it where it has changed."""
        entries = self._parameter_entries()
        written = self._written
        if written.layers != len(self.places.entries) or written.parameters != entries:
            written.layers, written.parameters = len(self.places.entries), entries
            written.layout += 1
            self.emit(
                LayoutRecord(
                    step=self.next_step,
                    time=time.time(),
                    layout=written.layout,
                    layers=list(self.places.entries),
                    parameters=entries,
                )
            )
        return written.layout

    def _named_parameters(self) -> list[Parameter]:
        """Return the models' parameters, each once (a shared one under its first name)."""
        seen: dict[int, Parameter] = {}
        for model_name, model in self._models.items():
            prefix = f"{model_name}." if model_name else ""
            for name, tensor in model.named_parameters():
                there = not isinstance(tensor, nn.parameter.UninitializedParameter) and tensor.device.type != "meta"
                if there and id(tensor) not in seen:
                    seen[id(tensor)] = Parameter(len(seen), prefix + name, tensor)
        return list(seen.values())

    def _parameter_entries(self) -> list[ParameterEntry]:
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        optimized = {id(tensor) for group in groups for tensor in group["params"]}
        return [
            ParameterEntry(
                name=parameter.name,
                shape=list(parameter.tensor.shape),
                layer=parameter.name.rpartition(".")[0],
                trainable=parameter.tensor.requires_grad,
                optimized=not groups or id(parameter.tensor) in optimized,
            )
            for parameter in self._parameters
        ]

    # --- writing -------------------------------------------------------------------------------------------------

    def _write(self, line: bytes) -> None:
        self.writer.write(line)
        if self.writer.gathering and not self._written.gathering:
            self._written.gathering = True
            message = "writing is slow here: records are gathered for up to a second"
            self.emit(EventRecord(step=self.next_step, time=time.time(), event="writes-gathered", message=message))
        if self.writer.failure is not None:
            reason = self.writer.failure.strerror or str(self.writer.failure)
            warn_once(f"{self.writer.path}: {reason}. Logging has stopped; training goes on.")

    def _report(self, event: str, what: str, error: Exception, data: dict[str, Any]) -> None:
        cause = f"{type(error).__name__}: {error}"
        message = f"{what} failed and is switched off: {cause}"
        self.emit(EventRecord(step=self.next_step, time=time.time(), event=event, message=message, data=data))
        warn_once(f"trainhealth: {message}. Training goes on.")

    def _index_probes(self) -> None:
        from trainhealth.hooks.probes.base import Probe

        self._having = {
            method: [p for p in self._probes if getattr(type(p), method) is not getattr(Probe, method)]
            for method in _METHODS
        }


def _scalar(value: Any) -> Tensor | float | None:
    """Return a loss as a float, or as a detached tensor where reading it would make the device wait."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            warn_once(f"trainhealth: the loss passed to step() has shape {list(value.shape)}: pass a scalar.")
            return None
        if value.device.type == "meta" or value.is_complex():
            warn_once(
                f"trainhealth: the loss passed to step() is a {value.dtype} on {value.device}: pass a real number."
            )
            return None
        return float(value) if value.is_cpu else value.detach().reshape(()).clone()  # the script may go on adding to it
    if value is None:
        return None
    try:
        return float(value)
    except Exception:  # noqa: BLE001  # `float` of a foreign object may raise anything
        warn_once(f"trainhealth: the loss passed to step() is a {type(value).__name__}: pass a tensor or a number.")
        return None


def _fill_in(batches: list[_MicroBatch], numbers: list[float]) -> None:
    """Put the numbers that have come from the device in the place of their tensors, in the same order."""
    arrived = iter(numbers)
    for batch in batches:
        batch.losses = {name: next(arrived) if isinstance(v, Tensor) else v for name, v in batch.losses.items()}
        if isinstance(batch.accuracy, Tensor):
            batch.accuracy = next(arrived)


def _merged_losses(batches: list[_MicroBatch]) -> tuple[float | None, dict[str, Any]]:
    """Return the step's loss (the sum over names) and the losses by name, means weighted by micro-batch size."""
    if len(batches) == 1 and len(batches[0].losses) == 1 and "" in batches[0].losses:
        only = batches[0].losses[""]
        return float(only), {}
    merged: dict[str, float] = {}
    for name in dict.fromkeys(name for batch in batches for name in batch.losses):
        having = [(float(batch.losses[name]), batch.size or 1) for batch in batches if name in batch.losses]
        merged[name] = sum(value * size for value, size in having) / sum(size for _, size in having)
    if not merged:
        return None, {}
    return sum(merged.values()), {} if list(merged) == [""] else merged
