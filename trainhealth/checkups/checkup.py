"""`checkup`: the look before the long run, check by check, on copies, within a budget of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from trainhealth.checkups import all_checks
from trainhealth.checkups.base import Check, Outcome
from trainhealth.checkups.batches import draw, length_of
from trainhealth.checkups.closures import modules_in
from trainhealth.checkups.coming import Coming
from trainhealth.checkups.guard import Guard
from trainhealth.checkups.subject import Forward, Subject
from trainhealth.diagnosis import Report, Run
from trainhealth.errors import TrainHealthError, UsageError
from trainhealth.findings import Diagnosis, NotChecked
from trainhealth.records import OptimizerInfo, RunInfo
from trainhealth.rules.causes import in_reading_order, link_causes
from trainhealth.rules.contradictions import without_contradictions
from trainhealth.rules.engine import all_rules
from trainhealth.series import RunView

if TYPE_CHECKING:
    from trainhealth.checkups.progress import Progress

SECONDS, QUICK_SECONDS = 75.0, 20.0  # that all checks together may take; what they began, they finish
BATCHES, QUICK_BATCHES = 128, 16  # drawn from a loader at most
DRAWING = 0.1  # share of the time that drawing batches may take


def checkup(
    model: nn.Module,
    loss_fn: Callable[..., Any] | None = None,
    batch_or_loader: Any = None,
    optimizer: Optimizer | None = None,
    *,
    validation: Any = None,
    forward: Forward | None = None,
    only: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    quick: bool = False,
    seconds: float | None = None,
    total_steps: int | None = None,
    progress: bool = True,
    name: str | None = None,
) -> Report:
    """Look at a model, its data and its optimizer before the long run: what a minute can tell.

    Everything happens on copies: the model, the optimizer, the random states and the loader are bit-identical
    afterwards, also after an exception or Ctrl-C.

    Args:
        model: what will be trained, in the state in which training begins.
        loss_fn: ``loss_fn(outputs, target)``; None where the model returns its loss (as those of transformers do).
        batch_or_loader: a loader, a list of batches, or one batch: ``(inputs, …, target)`` or a mapping.
        optimizer: what will train it; AdamW with a rate of 1e-3 stands in where it is None.
        validation: a loader or a batch of the validation split; learning rates are judged by it.
        forward: ``forward(model, batch)`` returns the loss, where the above does not fit. It must use the model that
            it is given.
        only: names of the checks to run; all where it is None.
        skip: names of the checks to leave out.
        quick: look at less, in 20 s instead of 75.
        seconds: the time that the checks may take.
        total_steps: how many steps the run is planned for: rates are tried for so long, if there is time. 20 epochs
            where it is None.
        progress: show on stderr how far it is, if that is a terminal.
        name: what the report calls it; the class of the model by default.

    Raises:
        UsageError: an argument is off, or the model can't be run on a batch.
    """
    _check_arguments(model, loss_fn, batch_or_loader, optimizer, forward, total_steps)
    budget = seconds if seconds is not None else QUICK_SECONDS if quick else SECONDS
    used = modules_in(loss_fn, forward)
    with Guard([model, optimizer, loss_fn, batch_or_loader, validation, *used]), torch.enable_grad():
        # imports stand inside the guard: rich draws from Python's random state when it is loaded
        from trainhealth.checkups.progress import Progress

        checks = _chosen(only, skip)
        subject = _subject(model, loss_fn, batch_or_loader, optimizer, validation, forward, quick, budget, total_steps)
        subject.partners = [one for one in used if _trains_beside(one, model)]
        with Progress(sum(check.share for check in checks), shown=progress) as bar:
            _run_all(checks, subject, time.monotonic() + budget, bar)
        return _report(subject, checks, name or type(model).__name__)


def _check_arguments(model: Any, loss_fn: Any, source: Any, optimizer: Any, forward: Any, total_steps: Any) -> None:
    if isinstance(model, Mapping):
        raise UsageError(
            "a checkup looks at one model", "Call it once for each: forward=(model, batch) -> its loss may use others."
        )
    if not isinstance(model, nn.Module):
        raise UsageError(f"model is a {type(model).__name__}, not a torch.nn.Module", "Pass the model itself.")
    if next(model.parameters(), None) is None:
        raise UsageError(f"the model ({type(model).__name__}) has no parameters", "There is nothing to train in it.")
    if source is None:
        raise UsageError("there is no data to look at", "checkup(model, loss_fn, loader_or_batch, optimizer)")
    for name, value in (("loss_fn", loss_fn), ("forward", forward)):
        if value is not None and not callable(value):
            raise UsageError(f"{name} is a {type(value).__name__}, which can't be called", "Pass a function.")
    if loss_fn is not None and forward is not None:
        raise UsageError("both loss_fn and forward compute a loss", "Pass one of them.")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise UsageError(f"optimizer is a {type(optimizer).__name__}, not a torch.optim.Optimizer", "Or leave it out.")
    if total_steps is not None and not (isinstance(total_steps, int) and total_steps > 0):
        raise UsageError(f"total_steps is {total_steps!r}", "Pass the number of updates of the whole run.")


def _chosen(only: Iterable[str] | None, skip: Iterable[str]) -> list[type[Check]]:
    checks = all_checks()
    known = [check.name for check in checks]
    wanted, unwanted = (set(known) if only is None else set(only)), set(skip)
    if unknown := sorted((wanted | unwanted) - set(known)):
        raise UsageError(f"there is no check {unknown[0]!r}", f"There are: {', '.join(known)}.")
    chosen = [check for check in checks if check.name in wanted - unwanted]
    if not chosen:
        raise UsageError("no check is left to run", f"There are: {', '.join(known)}.")
    return chosen


def _subject(
    model: nn.Module,
    loss_fn: Callable[..., Any] | None,
    source: Any,
    optimizer: Optimizer | None,
    validation: Any,
    forward: Forward | None,
    quick: bool,
    budget: float,
    total_steps: int | None,
) -> Subject:
    original = getattr(model, "_orig_mod", model)  # of torch.compile: what is looked at need not be compiled
    device = next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    most = QUICK_BATCHES if quick else BATCHES
    coming = Coming(source, device)  # before anything is drawn: it remembers where the loader stands
    batches = draw(source, device, most, DRAWING * budget)
    held_out = None if validation is None else draw(validation, device, most, DRAWING * budget)
    return Subject(
        original,
        optimizer,
        batches,
        loss_fn,
        forward,
        held_out,
        quick,
        total_steps=total_steps,
        loader_length=length_of(source),
        coming=coming,
    )


def _trains_beside(other: nn.Module, model: nn.Module) -> bool:
    """Tell whether another model trains as well: it is in training mode, and has weights of its own to train."""
    own = {id(parameter) for parameter in model.parameters()}
    return other.training and any(one.requires_grad and id(one) not in own for one in other.parameters())


def _run_all(checks: Sequence[type[Check]], subject: Subject, end: float, bar: Progress) -> None:
    """Run the checks in order, each within its share of the time that is left."""
    differentiable = subject.differentiable
    shares = sum(check.share for check in checks)
    for check in checks:
        now = time.monotonic()
        subject.deadline = now + max(end - now, 0.0) * check.share / shares
        shares -= check.share
        bar.begin(check.title, check.share, end - now)
        if check.needs_gradient and not differentiable:
            subject.outcomes[check.name] = _left_out(check, "the loss has no gradient: see the check of gradients")
        else:
            subject.outcomes[check.name] = _run(check, subject)


def _run(check: type[Check], subject: Subject) -> Outcome:
    """Return what one check says; one that fails must not hide what the others have found."""
    try:
        return check().run(subject)
    except Exception as error:  # noqa: BLE001  # see the docstring
        fact = error.message if isinstance(error, TrainHealthError) else f"{type(error).__name__}: {error}"
        return _left_out(check, f"the check {check.name} failed ({fact})")


def _left_out(check: type[Check], because: str) -> Outcome:
    rules = [rule for rule in all_rules() if rule.code in check.rules]
    return Outcome(not_checked=tuple(NotChecked(because, one.code, one.name) for one in (*check.faults, *rules)))


def _report(subject: Subject, checks: Iterable[type[Check]], name: str) -> Report:
    outcomes = subject.outcomes.values()
    view = subject.__dict__["watched"].view if "watched" in subject.__dict__ else _bare_view(subject)
    found = {finding.id: finding for outcome in outcomes for finding in outcome.findings}
    ordered = in_reading_order(link_causes(found.values(), view))
    silent = tuple(item for outcome in outcomes for item in outcome.not_checked)
    return Report(
        Run(name, view),
        Diagnosis(without_contradictions(ordered), silent),
        figures=tuple(figure for outcome in outcomes for figure in outcome.figures),
        advice={key: value for outcome in outcomes for key, value in outcome.advice.items()},
        documents={key: text for outcome in outcomes for key, text in outcome.documents.items()},
        looked_at=tuple(check.title for check in checks if _has_looked(check, subject.outcomes[check.name])),
    )


def _has_looked(check: type[Check], outcome: Outcome) -> bool:
    """Tell whether a check has decided anything: one that says of all that it is for why not has not looked."""
    codes = {*check.rules, *(fault.code for fault in check.faults)}
    return not codes or bool(outcome.findings) or not codes <= {item.code for item in outcome.not_checked}


def _bare_view(subject: Subject) -> RunView:
    """Return what stands for a log where no check needed a watched start."""
    optimizers = [] if subject.optimizer is None else [OptimizerInfo(name="", type=type(subject.optimizer).__name__)]
    return RunView(info=RunInfo(model=type(subject.model).__name__, optimizers=optimizers), ended="closed")
