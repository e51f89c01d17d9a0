"""The handler: opens a watch when the engine starts, tells it every iteration and evaluation, and closes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ignite import distributed as idist
from ignite.engine import Engine, Events
from torch import nn
from torch.optim import Optimizer

import trainhealth

QUANTITIES = {"loss": "loss", "nll": "loss", "accuracy": "accuracy", "acc": "accuracy"}


def _itself(output: Any) -> Any:
    return output


class TrainHealthHandler:
    """Streams what a doctor needs from ``trainer.run`` to a run folder.

    Args:
        model: what the engine's process function trains; a mapping of names to models where there are several.
        optimizer: what trains it; likewise.
        run_dir: the folder to log into; ``runs/<time>-<model>`` where it is None.
        stop_on: "critical", "warning" or "note": end the training when there is such a finding.
        output_transform: makes the loss, or a mapping of names to losses, of the engine's output.
        options: further arguments of `trainhealth.watch` (hyperparameters, overhead, task, …).
    """

    def __init__(
        self,
        model: nn.Module | Mapping[str, nn.Module],
        optimizer: Optimizer | Mapping[str, Optimizer] | None = None,
        run_dir: str | os.PathLike[str] | None = None,
        *,
        stop_on: str | None = None,
        output_transform: Callable[[Any], Any] = _itself,
        **options: Any,
    ) -> None:
        self._trained = model, optimizer
        self._options = {"run_dir": run_dir, "stop_on": stop_on, **options}
        self._output_transform = output_transform
        self._watch: trainhealth.Watch | None = None

    def attach(self, trainer: Engine, **evaluators: Engine) -> None:
        """Watch what `trainer` trains, and the metrics of evaluators by the name of their split.

        ``attach(trainer, validation=evaluator)`` logs the evaluator's metrics "loss" and "accuracy" as validation_loss
        and validation_accuracy, and any other as validation_<its name>.
        """
        trainer.add_event_handler(Events.STARTED, self._started)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._iteration_completed)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._epoch_completed)
        # none at EXCEPTION_RAISED: an engine that has one there swallows the exception; none at INTERRUPT: it goes on
        for event in (Events.COMPLETED, Events.TERMINATE):
            trainer.add_event_handler(event, self._ended)
        for split, evaluator in evaluators.items():
            evaluator.add_event_handler(Events.COMPLETED, self._evaluated, split)

    def _started(self, engine: Engine) -> None:
        iterations = (engine.state.epoch_length or 0) * (engine.state.max_epochs or 0)
        self._watch = trainhealth.watch(*self._trained, **{"total_steps": iterations or None, **self._options})

    def _iteration_completed(self, engine: Engine) -> None:
        """End a step, or a micro-batch of one: its number is that of Ignite's iteration, from 0."""
        if self._watch is not None:
            self._watch.step(self._output_transform(engine.state.output), step=engine.state.iteration - 1)
            if idist.get_world_size() == 1:
                self._stop_where_asked(engine)

    def _epoch_completed(self, engine: Engine) -> None:
        if self._watch is not None:
            self._watch.epoch()
            self._stop_where_asked(engine)

    def _evaluated(self, engine: Engine, split: str) -> None:
        if self._watch is not None:
            metrics = engine.state.metrics
            self._watch.log(**{f"{split}_{QUANTITIES.get(name, name)}": value for name, value in metrics.items()})

    def _stop_where_asked(self, engine: Engine) -> None:
        """End the run in Ignite's way; several ranks look at the ends of epochs only, and together."""
        if self._watch is None or self._options["stop_on"] is None or engine.should_terminate:
            return
        if idist.all_reduce(float(self._watch.should_stop), op="MAX"):
            first = next(iter(self._watch.findings()), None)
            if first is not None and idist.get_rank() == 0:
                sys.stderr.write(f"trainhealth: training ends at iteration {engine.state.iteration}: {first.message}\n")
            engine.terminate()

    def _ended(self, engine: Engine) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
