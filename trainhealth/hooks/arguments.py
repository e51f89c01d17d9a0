"""What `watch` is given: checked, and where something is off, an error that says what to do."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import Optimizer

from trainhealth import plugins
from trainhealth.errors import UsageError
from trainhealth.hooks.own_hooks import watched

if TYPE_CHECKING:
    from trainhealth.hooks.probes.base import Probe

TASKS = ("classification", "regression", "language")
STOP_LEVELS = ("critical", "warning", "note")


def named(value: Any, kind: type, what: str) -> dict[str, Any]:
    """Return `value` as a mapping of names, after checking what it holds."""
    named = dict(value) if isinstance(value, Mapping) else {"": value}
    if not named:
        raise UsageError(f"watch() was given no {what}", f"Pass a {what}, or a mapping of names to {what}s.")
    for name, item in named.items():
        inner = getattr(item, "optimizer", None)
        hooked = isinstance(item, kind) and hasattr(item, "_optimizer_step_pre_hooks")
        if what == "optimizer" and isinstance(inner, kind) and not hooked:
            named[name] = inner  # a wrapper: accelerate's is an Optimizer by its type, and takes no hooks
        elif not isinstance(item, kind):
            found = f"{type(item).__module__}.{type(item).__qualname__}"
            raise UsageError(
                f"watch() was given a {found} as {what}{f' {name!r}' if name else ''}",
                f"Pass a torch.{'nn.Module' if what == 'model' else 'optim.Optimizer'}.",
            )
    return named


def check_arguments(
    models: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    overhead: float,
    disk: float,
    task: str | None,
    stop_on: str | Collection[str] | None,
) -> None:
    """Raise a `UsageError` for what cannot be meant."""
    if not _is_number(overhead) or not 0 < overhead <= 1:
        raise UsageError(f"overhead is {overhead!r}", "Pass a share of the training time above 0 and up to 1: 0.02.")
    if not _is_number(disk) or not disk > 0:
        raise UsageError(f"disk is {disk!r}", "Pass a number of bytes above 0.")
    if task is not None and task not in TASKS:
        raise UsageError(f"task is {task!r}", f"Pass one of {', '.join(TASKS)}, or leave it out.")
    if stop_on is not None and not isinstance(stop_on, Collection):
        raise UsageError(f"stop_on is {stop_on!r}", "Pass a name, or a list of them.")
    _check_stop_on({stop_on} if isinstance(stop_on, str) else set(stop_on or ()))
    for name, model in models.items():
        if watched(model):
            raise UsageError(
                f"this {type(model).__name__}{f' ({name})' if name else ''} is watched already",
                "Close the other handle first: watch.close(), or leave its with block.",
            )
    known = {id(parameter) for model in models.values() for parameter in model.parameters()}
    for optimizer in optimizers.values():
        if known and not any(id(p) in known for group in optimizer.param_groups for p in group["params"]):
            raise UsageError(
                f"the {type(optimizer).__name__} holds no parameter of the model",
                "Make the optimizer of this model, when it is in its final form: torch.optim.…(model.parameters()).",
            )


def check_description(run_dir: Any, hyperparameters: Any, total_steps: Any) -> None:
    """Raise a `UsageError` for what says nothing about the run."""
    if run_dir is not None and (not isinstance(run_dir, str | os.PathLike) or "\0" in str(run_dir) or run_dir == ""):
        raise UsageError(f"run_dir is {run_dir!r}", "Pass the path of a folder as a string, or leave it out.")
    if hyperparameters is not None and not isinstance(hyperparameters, Mapping):
        found = f"hyperparameters is a {type(hyperparameters).__name__}"
        raise UsageError(found, "Pass a mapping of names to values: vars(args), dict(config).")
    if total_steps is not None and (not isinstance(total_steps, int) or total_steps < 1):
        raise UsageError(f"total_steps is {total_steps!r}", "Pass how many steps are planned: a whole number above 0.")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)


def _check_stop_on(chosen: Collection[str]) -> None:
    others = [name for name in chosen if name not in STOP_LEVELS]
    known = {rule.name for rule in plugins.load("trainhealth.rules")} if others else set()
    for name in others:
        if name not in known:
            hint = f"Pass {', '.join(STOP_LEVELS)}, names of rules (trainhealth rules), or leave it out."
            raise UsageError(f"stop_on is {name!r}", hint)


def chosen_probes(names: Iterable[str] | None) -> list[Probe]:
    """Return the probes of these names; all where there are none."""
    if not isinstance(names, Iterable | None):
        raise UsageError(f"probes is {names!r}", "Pass a list of names, or leave it out.")
    names = [names] if isinstance(names, str) else names
    available = {probe.name: probe for probe in plugins.load("trainhealth.probes")}
    for name in names or ():
        if name not in available:
            raise UsageError(f"there is no probe {name!r}", f"Probes: {', '.join(sorted(available))}.")
    return [available[name]() for name in (available if names is None else dict.fromkeys(names))]
