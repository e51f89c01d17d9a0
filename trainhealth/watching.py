"""`watch`: the one line that a training script adds, and the handle that it returns."""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from trainhealth import __version__
from trainhealth.errors import LogError, UsageError
from trainhealth.hooks.arguments import STOP_LEVELS, check_arguments, check_description, chosen_probes, named
from trainhealth.hooks.best import FILE, Best, check_unsharded, higher_is_better
from trainhealth.hooks.description import describe
from trainhealth.hooks.governor import Governor
from trainhealth.hooks.recorder import Recorder
from trainhealth.hooks.run_folder import open_folder, rank_and_world, write_info
from trainhealth.hooks.untraced import not_compiled
from trainhealth.hooks.warning import warn_once
from trainhealth.hooks.writer import Writer
from trainhealth.logged_numbers import Number
from trainhealth.machine import machine
from trainhealth.records import EndRecord, EpochRecord, ErrorRecord, EvaluationRecord, EventRecord, RunInfo, StartRecord
from trainhealth.signals import near_miss

if TYPE_CHECKING:
    from trainhealth.findings import Finding
    from trainhealth.hooks.probes.base import Probe

# Bytes that the samples of a run may take, spread over a million steps. The records of the steps themselves take 80 to
# 110 MB then: together it is less than 300.
DISK = 180_000_000
DIAGNOSE_EVERY = 30.0  # seconds between diagnoses for `should_stop`, at least
FIRST_LOOK = 64  # step at which it looks whatever the clock says, and again at 4, 16, … times as many


def watch(
    model: nn.Module | Mapping[str, nn.Module],
    optimizer: Optimizer | Mapping[str, Optimizer] | None = None,
    *,
    run_dir: str | os.PathLike[str] | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    overhead: float = 0.02,
    disk: float = DISK,
    task: str | None = None,
    probes: Iterable[str] | None = None,
    total_steps: int | None = None,
    resume: bool = False,
    stop_on: str | Collection[str] | None = None,
) -> Watch:
    """Watch a training run: stream what a doctor needs to a folder, within a budget of time and disk.

    Args:
        model: what is trained; a mapping of names to models where there are several (a GAN).
        optimizer: what trains it; a mapping where there are several. Without one, every call of `step` is a step.
        run_dir: the folder to log into. A second run into the same name gets a number; None makes
            ``runs/<time>-<model>``.
        hyperparameters: whatever you want to find again beside the curves.
        overhead: share of the training time that watching may cost, above 0 and up to 1 (every step is sampled).
        disk: bytes that the sampled statistics of a million steps may take.
        task: "classification", "regression" or "language"; found out from the first batch where it is None.
        probes: names of the probes to use; all where it is None.
        total_steps: how many steps are planned, for the time left.
        resume: continue in the same folder.
        stop_on: "critical", "warning" or "note", or names of rules ("past-best-epoch"), or several of them:
            `should_stop` becomes true when there is a finding of that severity or worse, or of that rule.

    Raises:
        UsageError: an argument is off, or the folder can't be used. Nothing raises after this.
    """
    models = named(model, nn.Module, "model")
    optimizers = named(optimizer, Optimizer, "optimizer") if optimizer is not None else {}
    check_arguments(models, optimizers, overhead, disk, task, stop_on)
    check_description(run_dir, hyperparameters, total_steps)
    chosen = chosen_probes(probes)
    kind = "-".join(type(m).__name__ for m in models.values())
    resumed = resume or (run_dir is not None and _steps_taken(optimizers.values()) > 0)
    folder = open_folder(run_dir, kind, resume=resumed)
    if run_dir is None:
        sys.stderr.write(f"trainhealth: logging to {folder}\n")
    elif folder != Path(run_dir):
        sys.stderr.write(f"trainhealth: {run_dir} holds a run already; logging to {folder}\n")
    info = describe(folder.name, models, optimizers, hyperparameters, task, total_steps)
    return Watch(folder, models, optimizers, info, chosen, overhead, disk, resumed=resumed, stop_on=stop_on)


class Watch:
    """The handle of a watched run; a context manager that closes it.

    Nothing here raises once `watch` has returned: what goes wrong with the logging is a warning.
    """

    def __init__(
        self,
        folder: Path,
        models: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        info: RunInfo,
        probes: list[Probe],
        overhead: float,
        disk: float,
        *,
        resumed: bool,
        stop_on: str | Collection[str] | None,
    ) -> None:
        self.run_dir = folder
        rank, world = rank_and_world()
        path = folder / f"events-{rank}.jsonl"
        first_step, self._epoch = _where_to_go_on(path, optimizers.values()) if resumed else (0, 0)
        try:
            if rank == 0:
                write_info(folder, info)
            writer = Writer(path)
        except OSError as error:
            hint = "Pass run_dir= a folder that this process can write."
            raise UsageError(f"run_dir {str(folder)!r} can't be written: {error.strerror or error}", hint) from error
        self._governor = Governor(overhead, disk)
        self._recorder = Recorder(models, list(optimizers.values()), writer, self._governor, probes, first_step)
        self._plain = self._recorder.plain  # asked at every step
        self._recorder.emit(
            StartRecord(
                step=first_step,
                time=time.time(),
                trainhealth=__version__,
                rank=rank,
                world_size=world,
                pid=os.getpid(),
                host=machine(),
                resumed=resumed,
            )
        )
        self._owner = os.getpid()
        self._models = models
        self._resumed = resumed
        self._stop_on = {stop_on} if isinstance(stop_on, str) else set(stop_on or ())
        self._best: list[Best] = []
        self._stop_reason: str | None = None
        self._diagnosed_at = time.monotonic()
        self._next_look = FIRST_LOOK
        self._looked_at_nonfinite = False
        self._closed = False
        # at the end of the process, or when the script has lost the handle (a notebook's cell that is run again)
        self._finish = weakref.finalize(self, _finish, self._recorder, self._owner, "exit", None)

    @not_compiled
    def step(
        self,
        loss: Tensor | float | Mapping[str, Tensor | float] | None,
        *,
        outputs: Tensor | None = None,
        targets: Tensor | None = None,
        step: int | None = None,
    ) -> None:
        """End a step: record its loss, and, where the step is sampled, what the probes have measured.

        May stand before or after ``optimizer.step()``. A call without an update since the last one is a micro-batch.

        Args:
            loss: a scalar tensor, a number, or a mapping of names to them.
            outputs: the model's outputs [N, ...]: for accuracy and label checks.
            targets: the targets [N, ...].
            step: the step's number, where the framework counts (a resumed run, an adapter).
        """
        if self._plain.under_way and self._plain.took(loss, outputs, targets, step):
            return
        if self._closed:
            self._usable("step")
        else:  # in a forked child nothing reaches the file
            self._recorder.step(loss, outputs, targets, step)

    @not_compiled
    def epoch(self, **signals: Any) -> None:
        """End an epoch: record any subset of train_accuracy, validation_loss, validation_accuracy, … as numbers."""
        if self._usable("epoch"):
            number, self._epoch = self._epoch, self._epoch + 1
            with self._recorder.guarded("epoch"):
                self._recorder.evaluation_told()
                self._recorder.end_without_update()
                values = _numbers(signals)
                step = self._recorder.next_step
                self._recorder.emit(EpochRecord(step=step, time=time.time(), epoch=number, values=values))
            self._look_for_the_best(signals)

    @not_compiled
    def log(self, **signals: Any) -> None:
        """Record values of any name at the present step: an evaluation by step, a metric of your own."""
        if self._usable("log"):
            with self._recorder.guarded("log"):
                if any(name.startswith("validation") for name in signals):
                    self._recorder.evaluation_told()
                step, values = self._recorder.next_step, _numbers(signals)
                self._recorder.emit(EvaluationRecord(step=step, time=time.time(), values=values))
            self._look_for_the_best(signals)

    @property
    def recorder(self) -> Recorder:
        """What turns steps into records: for who ends steps by other means than `step` (``trainhealth run``)."""
        return self._recorder

    def findings(self) -> tuple[Finding, ...]:
        """Return the diagnosis of the run so far: the same that ``trainhealth check`` gives for its folder."""
        from trainhealth.diagnosis import check

        self._recorder.flush()
        try:
            return check(self.run_dir).findings
        except LogError as error:
            warn_once(f"trainhealth: {error.message}: there is nothing to diagnose.")
            return ()

    def keep_best(
        self,
        signal: str = "validation_loss",
        *,
        mode: str | None = None,
        smooth: int = 1,
        patience: int | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> Best:
        """Keep the weights of the best evaluation in a file, and return the handle that restores them.

        Whenever `epoch` or `log` tells a better value of `signal`, the model's state is written, to a file that is
        whole at any moment; on the first rank alone. With a patience this is early stopping (algorithm 7.1).

        Args:
            signal: a name that is given to `epoch` or `log`.
            mode: "max" or "min"; found by the name where it is None.
            smooth: the median of so many evaluations in a row is compared: 3 for a noisy signal.
            patience: after so many evaluations without a better one, `should_stop` becomes true.
            path: the file; ``best.pt`` in the run's folder where it is None.

        Raises:
            UsageError: an argument is off, or the model is sharded over several processes.
        """
        maximize = higher_is_better(signal, mode)
        if smooth < 1 or (patience is not None and patience < 1):
            raise UsageError(f"smooth is {smooth!r}, patience {patience!r}", "Pass whole numbers from 1 on.")
        check_unsharded(self._models)
        file = self.run_dir / FILE if path is None else Path(path)
        writes = rank_and_world()[0] == 0
        best = Best(self._models, file, signal, maximize, smooth=smooth, patience=patience, writes=writes)
        if self._resumed:
            best.go_on()
        self._best.append(best)
        return best

    @property
    def stop_reason(self) -> str | None:
        """Why the training may end, in a sentence; None while there is no reason (`should_stop` looks for one)."""
        return self._stop_reason

    @property
    def should_stop(self) -> bool:
        """Whether there is a finding that `stop_on` names, or the patience of `keep_best` is at its end.

        The log then says why, and so does `stop_reason`. Nothing stops by itself.
        """
        if not self._stop_on or self._stop_reason is not None or self._closed:
            return self._stop_reason is not None
        now = time.monotonic()
        # diagnosing reads the log: seldom enough to stay within the budget of time
        surprised = not self._recorder.finite and not self._looked_at_nonfinite
        early = self._recorder.next_step >= self._next_look  # short runs are over before the clock has come round
        if now - self._diagnosed_at < DIAGNOSE_EVERY and not surprised and not early:
            return False
        while self._recorder.next_step >= self._next_look:
            self._next_look *= 4
        self._diagnosed_at, self._looked_at_nonfinite = now, not self._recorder.finite
        ranks = [STOP_LEVELS.index(level) for level in self._stop_on & set(STOP_LEVELS)]
        severities = STOP_LEVELS[: max(ranks, default=-1) + 1]
        chosen = (one for one in self.findings() if one.severity in severities or one.name in self._stop_on)
        reason = next(chosen, None)
        if reason is not None:
            self._stop_because(reason.message, {"finding": reason.id})
        return self._stop_reason is not None

    def _stop_because(self, reason: str, data: dict[str, Any]) -> None:
        self._stop_reason = reason
        with self._recorder.guarded("should_stop"):
            step = self._recorder.next_step
            self._recorder.emit(EventRecord(step=step, time=time.time(), event="stop", message=reason, data=data))

    def _look_for_the_best(self, signals: Mapping[str, Any]) -> None:
        """Keep what is to be kept: outside of a guard, because the user's own snapshots are not our cost."""
        for best in self._best:
            if best.signal not in signals:
                continue
            try:
                reason = best.look(self._recorder.next_step, float(signals[best.signal]))
            except Exception as error:  # noqa: BLE001  # `float` and `state_dict` of foreign objects may raise anything
                warn_once(f"trainhealth: the best {best.signal} could not be kept ({type(error).__name__}: {error})")
                continue
            if reason is not None and self._stop_reason is None:
                self._stop_because(reason, {"signal": best.signal, "best_step": best.step})

    def close(self) -> None:
        """Write what is left, take every hook off the model and the optimizer, and end the log."""
        self._close("closed")

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._close("closed")
        elif isinstance(error, KeyboardInterrupt):
            self._close("interrupted")
        elif isinstance(error, SystemExit):
            self._close("exit")
        else:
            self._close("exception", error)

    def _close(self, reason: str, error: BaseException | None = None) -> None:
        if not self._closed and os.getpid() == self._owner:
            self._closed = True
            self._finish.detach()
            _finish(self._recorder, self._owner, reason, error)
            self._models = {}  # a handle that is still around must not keep them in memory

    def _usable(self, call: str) -> bool:
        if self._closed:
            warn_once(f"trainhealth: {call}() after close() of {self.run_dir}: nothing is recorded any more.")
        return not self._closed and os.getpid() == self._owner


def _finish(recorder: Recorder, owner: int, reason: str, error: BaseException | None) -> None:
    """Take the hooks off and end the log; in a forked child there is nothing to end."""
    if os.getpid() != owner:
        return
    recorder.close()
    with recorder.guarded("close"):
        step, now = recorder.next_step, time.time()
        if error is not None:
            recorder.emit(ErrorRecord(step=step, time=now, type=type(error).__name__, message=str(error)[:500]))
        recorder.emit(EndRecord(step=step, time=now, reason=reason))
    recorder.writer.close()


def _numbers(signals: Mapping[str, Any]) -> dict[str, Number]:
    """Return the values as floats; what is no number is left out with a warning, a near miss of a name warns once."""
    numbers: dict[str, Number] = {}
    for name, value in signals.items():
        meant = near_miss(name)
        if meant is not None:
            warn_once(f"trainhealth: {name!r} is no signal that rules read; did you mean {meant!r}?")
        try:
            numbers[name] = float(value)
        except Exception:  # noqa: BLE001  # `float` of a foreign object may raise anything
            warn_once(f"trainhealth: {name!r} is a {type(value).__name__}, not a number: left out.")
    return numbers


def _where_to_go_on(path: Path, optimizers: Iterable[Optimizer]) -> tuple[int, int]:
    """Return the first step and epoch of a resumed run.

    The step is what the optimizers have counted (a checkpoint may be older than the log's end), else the one after the
    log's last.
    """
    taken = _steps_taken(optimizers)
    if not path.exists():
        return taken, 0
    from trainhealth.diagnosis import load

    view = load(path).view
    step = taken or view.last_step + 1
    return step, sum(epoch.step <= step for epoch in view.epochs)


def _steps_taken(optimizers: Iterable[Optimizer]) -> int:
    """Return how many steps the optimizers' states have counted; 0 for fresh ones (Adagrad's has states, too)."""
    states = [state for optimizer in optimizers for state in optimizer.state.values() if isinstance(state, Mapping)]
    return max((int(state["step"]) for state in states if "step" in state), default=0)
