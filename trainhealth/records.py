"""What one line of a log means: typed, versioned records, and how they become bytes and come back.

A run folder holds ``run.json`` (one `RunInfo`) and ``events-<rank>.jsonl`` (one record a line). The format is
described for people in ``docs/log-format.md``; this module is its only implementation.

Numbers: losses and metrics carry 9 significant digits, per-layer statistics 5, times milliseconds. Numbers that are
not finite are data and stand as the strings "NaN", "Infinity" and "-Infinity" (the JSON mapping of protocol buffers).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Annotated, Any, TypeAlias

import msgspec

from trainhealth.errors import LogError
from trainhealth.logged_numbers import LARGEST, BitSet, Count, Number, Time, number_text

SCHEMA_VERSION = 1

METRIC_DIGITS = 9
STATISTIC_DIGITS = 5

# --- the records ------------------------------------------------------------------------------------------------------


# gc=False: records come out of JSON, so that they hold no cycles, and a log has millions of them


class _Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True, gc=False):
    step: Count  # optimizer updates finished before this record; a step's own record carries the step's number, from 0
    time: Time  # seconds since 1970, to the millisecond


class StartRecord(_Record, frozen=True, kw_only=True, tag="start"):
    """A process begins (or, `resumed`, continues) to write: later steps replace earlier ones from `step` on."""

    schema_version: Annotated[int, msgspec.Meta(le=SCHEMA_VERSION)] = SCHEMA_VERSION
    trainhealth: str = ""
    rank: int = 0
    world_size: int = 1
    pid: int = 0
    host: str = ""  # fingerprint of the machine (`machine.machine`) on which the process has that number
    resumed: bool = False


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One place in the model at which activations are measured, in order of execution."""

    name: str  # the module's qualified name; for an activation function "<layer that feeds it>/<function>"
    type: str  # class of the module, or name of the function
    activation: str | None = None  # "relu", "sigmoid", "tanh", "gelu" …: set for nonlinearities
    fed_by: str | None = None  # the place whose output it gets, as it is or through linear operations
    unit_axis: int | None = None  # which axis of the output counts units
    units: Count | None = None  # how many units there are


class ParameterEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One parameter tensor (a shared one stands once, under its first name)."""

    name: str
    shape: list[int]
    layer: str = ""  # qualified name of the module that owns it
    trainable: bool = True
    optimized: bool = True  # it is in a parameter group of a watched optimizer
    sharded: bool = False  # the process holds a part of it: its numbers are of that part


class LayoutRecord(_Record, frozen=True, kw_only=True, tag="layout"):
    """Names the places that the columns of later samples stand for; written again when they change."""

    layout: int
    layers: list[LayerEntry] = []
    parameters: list[ParameterEntry] = []


class StepRecord(_Record, frozen=True, kw_only=True, tag="step"):
    """One optimizer update."""

    train_loss: Number | None = None  # the sum, where there are several losses
    losses: dict[str, Number] | None = None
    train_accuracy: Number | None = None
    gradient_norm: Number | None = None
    learning_rate: Number | None = None  # only when it changed
    learning_rates: list[Number] | None = None  # one a parameter group, where they differ; only when they changed
    batch_size: Count | None = None  # only when it changed
    micro_batches: int | None = None  # where there was more than one
    skipped: bool = False  # the loss scaler skipped the update


class SampleRecord(_Record, frozen=True, kw_only=True, tag="sample"):
    """Per-layer and per-parameter statistics of one sampled step, as columns in the order of `layout`."""

    layout: int
    batch_size: Count | None = None  # of this step: its weight when ranks are merged
    layers: dict[str, list[Number | None]] = {}
    parameters: dict[str, list[Number | None]] = {}
    batch: dict[str, Number] = {}
    dead_units: list[BitSet | None] | None = None  # a layer: its dead units; null: no window has been completed
    # batches and examples that the smallest window of `dead_units` holds
    dead_window: Annotated[list[Count], msgspec.Meta(min_length=2, max_length=2)] | None = None
    cost: float | None = None  # milliseconds that sampling this step cost
    interval: int | None = None  # steps between samples, in force from here on
    overhead: float | None = None  # what watching has cost since the start, over the time that training took without it
    thinned: list[str] | None = None  # layers whose statistics come from a strided part of the output


class EpochRecord(_Record, frozen=True, kw_only=True, tag="epoch"):
    """`watch.epoch(...)`: an epoch ended; epochs count from 0."""

    epoch: int
    values: dict[str, Number] = {}


class EvaluationRecord(_Record, frozen=True, kw_only=True, tag="evaluation"):
    """`watch.log(...)`: values of any name, at a step."""

    values: dict[str, Number] = {}


class EventRecord(_Record, frozen=True, kw_only=True, tag="event"):
    """Something that is not a number: `event` names it, `message` says it to a person, `data` to a program."""

    event: str
    message: str = ""
    data: dict[str, Any] = {}


class ErrorRecord(_Record, frozen=True, kw_only=True, tag="error"):
    """The training script raised."""

    type: str
    message: str = ""


class EndRecord(_Record, frozen=True, kw_only=True, tag="end"):
    """Logging ended on purpose: "closed", "exception", "exit" or "interrupted"."""

    reason: str = "closed"


Record: TypeAlias = (
    StartRecord
    | LayoutRecord
    | StepRecord
    | SampleRecord
    | EpochRecord
    | EvaluationRecord
    | EventRecord
    | ErrorRecord
    | EndRecord
)


class Skipped(msgspec.Struct, frozen=True):
    """A line of a log that could not be read: counted and shown, never swallowed."""

    line: int  # from 1; 0 where the line is not known
    reason: str
    text: str = ""  # its beginning
    rank: int = 0  # of the file that the line stands in


# --- run.json ---------------------------------------------------------------------------------------------------------


class OptimizerInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An optimizer and the settings of its parameter groups (without the parameters)."""

    name: str  # the name that `watch` was given, or ""
    type: str  # class, such as "AdamW"
    groups: list[dict[str, Any]] = []


class RunInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of ``run.json``: what is trained."""

    schema_version: int = SCHEMA_VERSION
    name: str = ""
    created: Time = 0.0
    model: str = ""  # class of the model, or "name: class, …"
    parameters: int = 0
    trainable_parameters: int = 0
    optimizers: list[OptimizerInfo] = []
    hyperparameters: dict[str, Any] = {}
    task: str | None = None  # "classification", "regression", "language"
    total_steps: int | None = None
    world_size: int = 1
    device: str = ""
    versions: dict[str, str] = {}


# --- bytes ------------------------------------------------------------------------------------------------------------

_decoder = msgspec.json.Decoder(Record)
_any_decoder = msgspec.json.Decoder(dict[str, Any])
_info_decoder = msgspec.json.Decoder(RunInfo)

_KINDS = frozenset(cls.__struct_config__.tag for cls in Record.__args__)
_START = b'{"kind":"start"'
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode_lines(lines: bytes, first_number: int) -> tuple[list[Record | Skipped], int]:
    """Return the records of whole lines, with a `Skipped` for each line that can't be read, and the number of lines.

    Blank lines and records of unknown kinds (a newer writer's) give nothing.

    Raises:
        LogError: a line is a start record of a newer schema.
    """
    count = lines.count(b"\n")
    try:
        records: list[Record | Skipped] = _decoder.decode_lines(lines)
    except _UNREADABLE:
        pass  # some line is broken or of an unknown kind: one by one, below
    else:
        # The decoder does not mind two records on a line, or one over two lines, so that what it makes of them would
        # depend on how the bytes came in. Between "}" and "{" a line break can only stand between records.
        if count == len(records) == lines.count(b"}\n{") + 1:
            return records, count
    numbered = enumerate(lines.split(b"\n"), first_number)
    return [record for number, line in numbered for record in _decode(line, number)], count


def _decode(line: bytes, number: int) -> Iterator[Record | Skipped]:
    if not line.strip():
        return
    try:
        yield _decoder.decode(line)
    except _UNREADABLE as error:
        try:
            fields = _any_decoder.decode(line)
        except _UNREADABLE:
            # A process that was killed while writing leaves half a line, and a power cut leaves zeros; a resumed run
            # goes on behind them.
            start = line.find(_START, 1)
            yield Skipped(number, f"not a JSON object: {error}", shown(line if start < 0 else line[:start]))
            if start > 0:
                yield from _decode(line[start:], number)
        else:
            if (reason := _fault(fields, number, error)) is not None:
                yield Skipped(number, reason, shown(line))


def _fault(fields: dict[str, Any], number: int, error: Exception) -> str | None:
    """Say why the object is no record; None where its kind is unknown (a newer writer's), which is no fault.

    Raises:
        LogError: it is a start record of a newer schema.
    """
    kind, version = fields.get("kind"), fields.get("schema_version")
    if kind == "start" and isinstance(version, int) and version > SCHEMA_VERSION:
        raise newer_schema(version, f"line {number}")
    return None if isinstance(kind, str) and kind not in _KINDS else str(error)


def shown(line: bytes) -> str:
    """Return the beginning of a line as text that is safe on a terminal."""
    text = line[:120].decode("utf-8", "backslashreplace")
    return text if text.isprintable() else repr(text)[1:-1]


def newer_schema(version: object, where: str) -> LogError:
    """Return the error for a log that a newer trainhealth wrote."""
    return LogError(
        f"{where}: the log has schema version {version}, this trainhealth reads up to {SCHEMA_VERSION}",
        "Update it: pip install --upgrade trainhealth",
    )


def encode(record: Record) -> bytes:
    """Return `record` as one line, its numbers rounded to the digits that the format states."""
    digits = STATISTIC_DIGITS if isinstance(record, SampleRecord) else METRIC_DIGITS
    fields = msgspec.structs.asdict(record) if isinstance(record, StartRecord) else dict(_given(record))
    texts = (f',"{name}":{_json(value, digits)}' for name, value in fields.items() if name not in ("step", "time"))
    kind = record.__struct_config__.tag
    return f'{{"kind":"{kind}","step":{record.step},"time":{record.time:.3f}{"".join(texts)}}}\n'.encode()


_ONLY_LOSS = b'{"kind":"step","step":%%d,"time":%%.3f,"train_loss":%%.%dg}\n' % METRIC_DIGITS


def encode_step(
    step: int,
    time: float,
    loss: float | None,
    gradient_norm: float | None = None,
    *,
    train_accuracy: float | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
) -> bytes:
    """Return the line of a plain step: the same bytes as `encode(StepRecord(...))`, at a fifth of the time."""
    only_loss = train_accuracy is learning_rate is batch_size is gradient_norm is None
    if only_loss and loss is not None and -LARGEST < loss < LARGEST:  # nearly all steps are such
        return _ONLY_LOSS % (step, time, loss)
    loss_text = "" if loss is None else f',"train_loss":{number_text(loss, METRIC_DIGITS)}'
    accuracy = "" if train_accuracy is None else f',"train_accuracy":{number_text(train_accuracy, METRIC_DIGITS)}'
    norm = "" if gradient_norm is None else f',"gradient_norm":{number_text(gradient_norm, METRIC_DIGITS)}'
    rate = "" if learning_rate is None else f',"learning_rate":{number_text(learning_rate, METRIC_DIGITS)}'
    size = "" if batch_size is None else f',"batch_size":{batch_size}'
    return f'{{"kind":"step","step":{step},"time":{time:.3f}{loss_text}{accuracy}{norm}{rate}{size}}}\n'.encode()


def decode_info(data: bytes, where: str) -> RunInfo:
    """Return the content of a ``run.json``.

    Raises:
        LogError: it is no JSON object of that form, or of a newer schema; `where` names the file.
    """
    try:
        version = _any_decoder.decode(data).get("schema_version", SCHEMA_VERSION)
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise newer_schema(version, where)
        return _info_decoder.decode(data)
    except _UNREADABLE as error:
        hint = "Restore the file, or move it away: the run can be read without it."
        raise LogError(f"{where}: not a run.json: {error}", hint) from error


def encode_info(info: RunInfo) -> bytes:
    """Return `info` as the content of ``run.json``, indented for people."""
    fields = {"schema_version": info.schema_version, **msgspec.structs.asdict(info)}
    return msgspec.json.format(_json(fields, METRIC_DIGITS).encode(), indent=2) + b"\n"


def _given(struct: msgspec.Struct) -> Iterator[tuple[str, object]]:
    """Yield the fields that say more than their defaults (None, an empty list or mapping)."""
    defaults = struct.__struct_defaults__
    required = len(struct.__struct_fields__) - len(defaults)
    for i, name in enumerate(struct.__struct_fields__):
        value = getattr(struct, name)
        default = defaults[i - required] if i >= required else msgspec.NODEFAULT
        if default is msgspec.NODEFAULT or not (value is None or value == default or value in ({}, [])):
            yield name, value


def _text(text: str) -> str:
    # a path that is not valid UTF-8 comes from the system with surrogates, for which JSON has no bytes
    return msgspec.json.encode(str(text).encode("utf-8", "replace").decode()).decode()


def _json(value: object, digits: int) -> str:
    """Return `value` as JSON text; whatever JSON has no word for stands as its `str`."""
    if isinstance(value, float):
        return number_text(value, digits)
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):  # numpy's scalars and fractions
        return number_text(float(value), digits)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(str(key))}:{_json(item, digits)}" for key, item in value.items()) + "}"
    if isinstance(value, msgspec.Struct):
        return _json(dict(_given(value)), digits)
    if isinstance(value, list | tuple | set | frozenset | range):
        return "[" + ",".join([_json(item, digits) for item in value]) + "]"
    if hasattr(value, "tolist"):  # arrays and tensors
        return _json(value.tolist(), digits)
    return _text(str(value))
