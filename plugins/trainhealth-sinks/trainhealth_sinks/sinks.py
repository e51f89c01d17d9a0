"""The sinks: a writer of TensorBoard's, and a run of W&B's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from trainhealth_sinks.signals import OWN, News, sentence


class Writer(Protocol):
    """What is used of ``torch.utils.tensorboard.SummaryWriter``."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> Any: ...  # noqa: D102  # see there
    def add_text(self, tag: str, text_string: str, global_step: int) -> Any: ...  # noqa: D102  # see there


class WandbRun(Protocol):
    """What is used of the run that ``wandb.init`` returns."""

    def log(self, data: Mapping[str, Any]) -> Any: ...  # noqa: D102  # see there
    def define_metric(self, name: str, step_metric: str) -> Any: ...  # noqa: D102  # see there


class TensorBoardSink:
    """Writes a run's signals as scalars and its findings as text.

    Args:
        run_dir: the folder of the run, as `trainhealth.watch` named it (``watch.run_dir``).
        writer: an open `SummaryWriter`.
    """

    def __init__(self, run_dir: str | os.PathLike[str], writer: Writer) -> None:
        self._news = News(run_dir)
        self._writer = writer

    def update(self) -> None:
        """Pass on what is new: call it at the ends of epochs, or once when the run is over."""
        for step, values in self._news.values():
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
        for finding in self._news.findings():
            self._writer.add_text(f"{OWN}/findings/{finding.name}", sentence(finding), finding.first_step)


class WandbSink:
    """Logs a run's signals and findings to a run of W&B's, over an axis of their own: W&B's step only goes forwards.

    Args:
        run_dir: the folder of the run, as `trainhealth.watch` named it (``watch.run_dir``).
        run: what ``wandb.init`` returned.
    """

    def __init__(self, run_dir: str | os.PathLike[str], run: WandbRun) -> None:
        self._news = News(run_dir)
        self._run = run
        run.define_metric(f"{OWN}/*", step_metric=f"{OWN}/step")

    def update(self) -> None:
        """Pass on what is new: call it at the ends of epochs, or once when the run is over."""
        for step, values in self._news.values():
            self._run.log({f"{OWN}/step": step, **values})
        for finding in self._news.findings():
            self._run.log({f"{OWN}/step": finding.first_step, f"{OWN}/findings/{finding.name}": sentence(finding)})
