"""A kit for authors of rules and readers: runs out of plain lists, and the checks that every part must pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from trainhealth.builder import RunBuilder
from trainhealth.findings import Finding, NotChecked
from trainhealth.readers.base import Reader
from trainhealth.records import (
    EpochRecord,
    EvaluationRecord,
    EventRecord,
    LayerEntry,
    LayoutRecord,
    ParameterEntry,
    Record,
    RunInfo,
    SampleRecord,
    Skipped,
    StartRecord,
    StepRecord,
)
from trainhealth.rules.base import Rule
from trainhealth.rules.engine import run_rule
from trainhealth.series import RunView
from trainhealth.signals import SIGNALS, Scope


def make_run(
    train_loss: Sequence[float] = (),
    *,
    steps: Sequence[int] | None = None,
    learning_rate: float | Sequence[float] | None = None,
    batch_size: int | None = None,
    gradient_norm: Sequence[float] | None = None,
    skipped_steps: Sequence[int] = (),
    epochs: Sequence[Mapping[str, float]] = (),
    evaluations: Mapping[int, Mapping[str, float]] | None = None,
    layers: Sequence[LayerEntry] = (),
    parameters: Sequence[ParameterEntry] = (),
    samples: Mapping[int, Mapping[str, Sequence[float | None]]] | None = None,
    dead_units: Mapping[int, Sequence[str | None]] | None = None,
    dead_window: tuple[int, int] = (100, 6400),
    batch: Mapping[int, Mapping[str, float]] | None = None,
    facts: Mapping[str, Any] | None = None,
    info: RunInfo | None = None,
) -> RunView:
    """Return a view of a run made of plain lists.

    `epochs` are spread evenly over the steps. `samples` maps a sampled step to its columns (a list a signal, in the
    order of `layers` or `parameters`); `dead_units` maps a sampled step to the layers' bit sets in hexadecimal, taken
    over windows of `dead_window` (batches, examples).
    """
    numbers = list(range(len(train_loss))) if steps is None else list(steps)
    rates = [learning_rate] * len(numbers) if isinstance(learning_rate, int | float) else learning_rate
    records: list[Record] = [StartRecord(step=0, time=0.0, pid=1)]
    if facts:
        records.append(EventRecord(step=0, time=0.0, event="facts", data=dict(facts)))
    for i, (step, loss) in enumerate(zip(numbers, train_loss, strict=True)):
        changed = rates is not None and (i == 0 or rates[i] != rates[i - 1])
        records.append(
            StepRecord(
                step=step,
                time=step / 100,
                train_loss=loss,
                learning_rate=rates[i] if rates is not None and changed else None,
                batch_size=batch_size if i == 0 else None,
                gradient_norm=None if gradient_norm is None else gradient_norm[i],
                skipped=step in skipped_steps,
            )
        )
    end = numbers[-1] + 1 if numbers else len(epochs)
    for number, values in enumerate(epochs):
        step = round(end * (number + 1) / len(epochs))
        records.append(EpochRecord(step=step, time=step / 100, epoch=number, values=dict(values)))
    for step, values in (evaluations or {}).items():
        records.append(EvaluationRecord(step=step, time=step / 100, values=dict(values)))
    records.append(LayoutRecord(step=0, time=0.0, layout=0, layers=list(layers), parameters=list(parameters)))
    parameter_signals = {signal.name for signal in SIGNALS.values() if signal.scope is Scope.PARAMETER}
    for step in sorted({*(samples or {}), *(dead_units or {}), *(batch or {})}):
        columns = (samples or {}).get(step, {})
        records.append(
            SampleRecord(
                step=step,
                time=step / 100,
                layout=0,
                batch_size=batch_size,
                layers={name: list(column) for name, column in columns.items() if name not in parameter_signals},
                parameters={name: list(column) for name, column in columns.items() if name in parameter_signals},
                batch=dict((batch or {}).get(step, {})),
                dead_units=None if dead_units is None or step not in dead_units else list(dead_units[step]),
                dead_window=None if dead_units is None or step not in dead_units else list(dead_window),
            )
        )
    builder = RunBuilder()
    builder.info = info or RunInfo()
    builder.feed(records)
    return builder.view()


def check_rule(rule: type[Rule], run: RunView, **options: Any) -> tuple[Finding, ...] | NotChecked:
    """Return the rule's answer as the engine would, but let an exception of the rule through."""
    answer = run_rule(rule, run, options)
    if isinstance(answer, NotChecked) and "please report" in answer.because:
        rule().check(run, rule.Options(**options))
    return answer


def read_in_pieces(reader: type[Reader], data: bytes, cuts: Sequence[int]) -> list[Record | Skipped]:
    """Return what `reader` makes of `data` when its bytes come in pieces, cut at `cuts`."""
    instance = reader()
    bounds = [0, *sorted(min(max(cut, 0), len(data)) for cut in cuts), len(data)]
    pieces = (data[low:high] for low, high in pairwise(bounds))
    return [record for piece in pieces for record in instance.feed(piece)]


def check_reader(reader: type[Reader]) -> None:
    """Check by its sample what every reader promises; a test of a reader needs little more than this call.

    Raises:
        AssertionError: with the promise that is broken.
    """
    file_name, data = reader.sample
    junk = (b"", b"\n", b"\0" * 64, bytes(range(256)), data[:1], data[:40], data[1:])
    for head in (data, *junk):
        assert 0.0 <= reader.sniff(head, file_name) <= 1.0, f"sniff({head[:20]!r}) is not between 0 and 1"
        assert 0.0 <= reader.sniff(head, "notes.txt") <= 1.0, f"sniff({head[:20]!r}) is not between 0 and 1"
    assert reader.sniff(data, file_name) > 0.0, "it does not recognise its own sample"
    whole = read_in_pieces(reader, data, ())
    assert whole, "its sample gives no record"
    assert not any(isinstance(record, Skipped) for record in whole), "it skips lines of its own sample"
    for cut in range(1, len(data)):
        assert read_in_pieces(reader, data, (cut,)) == whole, f"a cut after byte {cut} gives other records"
    assert read_in_pieces(reader, data, range(len(data))) == whole, "byte by byte gives other records"
    broken = b"\xff\xfe\0 broken {\n"
    for part in data.splitlines(keepends=True):
        read_in_pieces(reader, broken + part + broken, ())  # whatever it makes of that, it does not raise
