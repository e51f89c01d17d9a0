"""Sampled steps: which probes run, what they are shown, and how a sample becomes a record."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth.hooks.arrivals import Arrivals
from trainhealth.hooks.given import Given
from trainhealth.hooks.idle_optimizers import note_idle
from trainhealth.hooks.observer import Observer
from trainhealth.hooks.ownership import Ownership
from trainhealth.hooks.places import Places, plain_name
from trainhealth.hooks.probes.base import Probe
from trainhealth.hooks.probes.class_shares import ClassShares
from trainhealth.hooks.probes.dead_units import DeadUnits, bit_set
from trainhealth.hooks.run_folder import rank_and_world
from trainhealth.hooks.sample import Parameter, Sample
from trainhealth.hooks.scaling import Scalers
from trainhealth.hooks.sequences import Sequences
from trainhealth.hooks.sharding import Placement, placement
from trainhealth.hooks.tensors import in_dispatch_mode
from trainhealth.hooks.unregistered import reached_parameters, unregistered_modules
from trainhealth.records import LayoutRecord, ParameterEntry, SampleRecord, encode

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder

_METHODS = tuple(name for name, value in vars(Probe).items() if callable(value) and not name.startswith("_"))


class Sampler:
    """Decides with the governor which steps are sampled, runs the probes in them, and writes layouts and samples."""

    def __init__(self, models: Mapping[str, nn.Module], probes: Iterable[Probe], recorder: Recorder) -> None:
        self.sample: Sample | None = None  # of the step under way, where it is sampled
        self.places = Places()
        self.given = Given()
        self.sequences = Sequences()
        self._recorder = recorder
        self._models = dict(models)
        self._unregistered = {
            name: unregistered_modules(model, f"{name}." if name else "") for name, model in models.items()
        }
        self._probes = list(probes)
        self._index_probes()
        self._parameters: list[Parameter] = []
        self._sharded = False  # this process holds parts of some of them
        self._remembered = False  # `before_update` has run for this sample
        self.scalers = Scalers(recorder)
        self._ownership = Ownership(recorder)
        self.eve = False  # the next step will probably be sampled
        self._begun = self._gradients_seen = False  # a backward of this step has begun, has ended
        self._left: list[Parameter] = []  # that still had a gradient then
        self._several_ranks = rank_and_world()[1] > 1
        self._arrivals = Arrivals(self._gradient_arrived)
        self._written: tuple[int, list[ParameterEntry]] = (-1, [])  # places and parameters of the newest layout
        self._layout_number = -1
        self.observers = [Observer(model, name, recorder, self) for name, model in models.items()]

    @property
    def class_counts(self) -> Tensor | None:
        """How often each class was among the targets of sampled steps; None where they are no classes."""
        return next((probe.counts for probe in self._probes if isinstance(probe, ClassShares)), None)

    @property
    def running(self) -> bool:
        """Whether there is anything to sample for."""
        return bool(self._probes) and self._recorder.writer.open

    def arm(self) -> None:
        """Decide whether the step that now begins is sampled."""
        self.scalers.step_ended()
        self.eve = False
        if not self.running:
            return
        if not self._recorder.governor.wants(self._recorder.next_step):
            self.eve = self._recorder.governor.expects(self._recorder.next_step + 1)
            if self.eve:
                self._ownership.step_begins(self._parameters)
            return
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            return  # what we do would become a part of the user's graph
        self.sample = Sample(self._recorder.next_step)
        self._remembered = False
        self._begun = self._gradients_seen = False
        self._left = []
        with self._recorder.guarded("layout"):
            self._parameters = self._named_parameters()
            self._sharded = any(parameter.sharded for parameter in self._parameters)
            self._ownership.step_begins(self._parameters)
            self._ownership.remember_gradients()
            if not self._recorder.updates.seen:
                self._remembered = True
                self.measure("before_update", self._parameters, self.sample)

    def finish(self) -> None:
        """The sampled step has ended: bring over and write what was measured."""
        sample = self.sample
        if sample is None:
            return
        if self._remembered:
            self.measure("after_update", self._parameters, sample)
        if sample.loss_scale is None and self.scalers.skipped():
            sample.loss_scale = self.scalers.scale_of_skipped()
        self._drop_what_was_not_used(sample)
        note_idle(self._recorder, self._parameters)
        for observer in self.observers:
            observer.look_again(sample)
            observer.evaluations.put_into(sample)
            if not observer.reached:
                sample.forget(observer)
        self.given.measure(self.measure, self._recorder.facts, sample)
        self.measure("step_ended", sample)
        if not self._parameters or self._parameters[0].tensor.is_cpu:
            self._recorder.loading.put_into(sample)
        layout = self._layout()
        dead = next((probe for probe in self._probes if isinstance(probe, DeadUnits)), None)
        full, window = dead.full_windows() if dead else ({}, (0, 0))
        if sample.empty:
            self.sample = None
            return
        stacked = sample.stacked()
        home = stacked[0].device if stacked else None
        alive = [torch.cat([units.to(home) for units in full.values()])] if full else []
        governor = self._recorder.governor
        now, names = time.time(), {name: len(units) for name, units in full.items()}
        lengths = {"layers": len(self.places.entries), "parameters": len(self._parameters), "batch": 1}

        def deliver(host: list[Tensor]) -> None:
            bits = host.pop() if names else None
            tables = sample.columns(host, lengths)
            for probe in [probe for probe in self._probes if not sample.failed.keys().isdisjoint(probe.signals)]:
                self._disable(probe, next(sample.failed[name] for name in probe.signals if name in sample.failed))
            record = SampleRecord(
                step=sample.step,
                time=now,
                layout=layout,
                batch_size=sample.batch_size,
                layers=tables["layers"],
                parameters=tables["parameters"],
                batch={name: column[0] for name, column in tables["batch"].items() if column[0] is not None},
                dead_units=None if bits is None else self._dead_columns(names, bits),
                dead_window=list(window) if names else None,
                cost=1000 * governor.whole(sample.cost),
                interval=governor.interval,
                overhead=governor.share,
                thinned=sorted(sample.thinned) or None,
            )
            line = encode(record)
            self._recorder.write(line)
            governor.sampled(sample.step, sample.cost, len(line))

        self._recorder.submit(stacked + alive, deliver)
        self.sample = None

    def _dead_columns(self, lengths: Mapping[str, int], alive: Tensor) -> list[str | None]:
        """Return, a layer in the layout's order, the bit set of its dead units; None where no window is full."""
        parts = dict(zip(lengths, torch.split(alive, list(lengths.values())), strict=True))
        return [bit_set(parts[e.name]) if e.name in parts else None for e in self.places.entries]

    def _layout(self) -> int:
        """Return the number of the layout in force, after writing it where it has changed."""
        entries = self._parameter_entries()
        if self._written != (len(self.places.entries), entries):
            self._written = (len(self.places.entries), entries)
            self._layout_number += 1
            self._recorder.emit(
                LayoutRecord(
                    step=self._recorder.next_step,
                    time=time.time(),
                    layout=self._layout_number,
                    layers=list(self.places.entries),
                    parameters=entries,
                )
            )
        return self._layout_number

    def _named_parameters(self) -> list[Parameter]:
        """Return the models' parameters, each once (a shared one under its first name)."""
        seen: dict[int, Parameter] = {}
        for model_name, model in self._models.items():
            prefix = f"{model_name}." if model_name else ""
            own = ((prefix + plain_name(name), tensor) for name, tensor in model.named_parameters())
            for name, tensor in chain(own, reached_parameters(self._unregistered[model_name])):
                there = not isinstance(tensor, nn.parameter.UninitializedParameter) and tensor.device.type != "meta"
                lies = placement(tensor)
                if there and lies is not Placement.MIXED and id(tensor) not in seen:
                    seen[id(tensor)] = Parameter(len(seen), name, tensor, lies is Placement.SHARDED)
        return list(seen.values())

    def _parameter_entries(self) -> list[ParameterEntry]:
        groups = [group for optimizer in self._recorder.optimizers for group in optimizer.param_groups]
        optimized = {id(tensor) for group in groups for tensor in group["params"]}
        return [
            ParameterEntry(
                name=parameter.name,
                shape=list(parameter.tensor.shape),
                sharded=parameter.sharded,
                layer=parameter.name.rpartition(".")[0],
                trainable=parameter.tensor.requires_grad,
                optimized=not groups or id(parameter.tensor) in optimized,
            )
            for parameter in self._parameters
        ]

    # --- what the hooks call -------------------------------------------------------------------------------------

    def measure(self, method: str, *arguments: Any) -> None:
        """Call `method` of every probe that has it; one that raises is switched off."""
        if in_dispatch_mode():
            return
        whole = _without_shards(arguments) if self._sharded else arguments
        for probe in self._having[method]:
            try:
                getattr(probe, method)(*(arguments if probe.shards else whole))
            except Exception as error:  # noqa: BLE001  # an instrument that fails must not reach the training
                self._disable(probe, error)

    def _disable(self, probe: Probe, error: Exception) -> None:
        """Switch one probe off, and say so."""
        self._probes.remove(probe)
        self._index_probes()
        self._recorder.report("probe-disabled", f"probe {probe.name}", error, {"probe": probe.name})

    def backward_begins(self) -> None:
        """A backward has reached a model's output: no parameter has got a gradient from it yet."""
        sample, several = self.sample, len(self.observers) > 1 or len(self._recorder.optimizers) > 1
        if sample is None or several or in_dispatch_mode():
            return  # of several players each may zero just before its own backward
        with self._recorder.guarded("backward"):
            if self._several_ranks and self._ownership.accumulates():
                self.measure("backward_entered", self._parameters, sample)
                if self._having["gradient_arrived"]:
                    self._arrivals.begin(self._parameters)
            if self._begun:
                # another backward of the step, after gradients were dropped: the first one was somebody else's, as that
                # of a generator whose loss goes through this model
                if self._left and any(parameter.tensor.grad is None for parameter in self._left):
                    self._left = []
                    self.measure("backward_begins", [], sample)
            elif self._ownership.accumulates():
                self._begun = True
                untouched = list(self._ownership.untouched())
                self._left = [parameter for parameter in untouched if parameter.tensor.grad is not None]
                self.measure("backward_begins", untouched, sample)

    def _gradient_arrived(self, parameter: Parameter, gradient: Tensor) -> None:
        """A backward is about to add to the gradient of a parameter."""
        sample = self.sample
        if sample is not None:
            with self._recorder.guarded("backward"):
                self.measure("gradient_arrived", parameter, gradient, sample)

    def backward_ended(self) -> None:
        """A backward of a sampled step has returned."""
        self._arrivals.end()
        sample = self.sample
        if sample is not None:
            with self._recorder.guarded("backward"):
                self._gradients_seen = True
                sample.micro_batch = self._recorder.batches_pending
                self.measure("backward_ended", self._ownership.open(), sample)

    def before_update(self, optimizer: Optimizer) -> None:
        """An optimizer is about to change the parameters."""
        sample = self.sample
        if sample is None:
            if self.eve and (self._recorder.forwards or self._recorder.batches_pending):
                with self._recorder.guarded("update"):
                    own, step = self._ownership.use(optimizer), self._recorder.next_step
                    self.measure("gradients_passed", own, step, self._recorder.batch_entering)
            return
        with self._recorder.guarded("update"):
            sample.loss_scale = self.scalers.scale()
            sample.scale_in_use = optimizer.__dict__.get("grad_scale")
            if not self._remembered:
                self._remembered = True
                self.measure("before_update", self._parameters, sample)
            if self._gradients_seen:  # else it is late (an update of the step before), or early (it has a closure)
                own = self._ownership.use(optimizer)
                if own:
                    self.measure("gradients_used", own, sample)

    def after_update(self, optimizer: Optimizer) -> None:
        """An optimizer has changed the parameters."""
        sample = self.sample
        if sample is not None:
            with self._recorder.guarded("update"):
                self.measure("optimizer_stepped", optimizer, self._parameters, sample)

    def _drop_what_was_not_used(self, sample: Sample) -> None:
        """Of several optimizers, take back the gradients of those that have not stepped."""
        unused = self._ownership.unused()
        if unused and self._recorder.updates.under_way:
            sample.drop("batch", "clipped_gradient_norm")  # they will step, but their part of it is not known now
        elif unused:
            for signal in ("parameter_gradient_norm", "gradient_nonfinite"):
                sample.drop("parameters", signal, unused)

    # --- life ----------------------------------------------------------------------------------------------------

    def step_ended(self) -> None:
        """Be ready for the next step."""
        self._arrivals.end()
        for observer in self.observers:
            observer.step_ended()

    def switch_off(self) -> bool:
        """Sample no more; return whether there was anything to switch off."""
        running, self.sample, self._probes = bool(self._probes), None, []
        self._arrivals.end()
        self.given.forget()
        self._index_probes()
        for observer in self.observers:
            observer.release()
        return running

    def close(self) -> None:
        """Take every hook off, and keep no model in memory."""
        for observer in self.observers:
            observer.close()
        self.switch_off()
        self.observers, self._parameters, self._models, self._unregistered = [], [], {}, {}
        self.scalers, self._ownership = Scalers(self._recorder), Ownership(self._recorder)

    def _index_probes(self) -> None:
        self._having = {
            method: [p for p in self._probes if getattr(type(p), method) is not getattr(Probe, method)]
            for method in _METHODS
        }


def _without_shards(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of a probe's method without the parameters of which this process holds a part."""
    return tuple(
        [p for p in argument if not p.sharded] if isinstance(argument, list) else argument for argument in arguments
    )
