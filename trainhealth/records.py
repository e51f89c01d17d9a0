"""What one line of a log means: typed, versioned records, and how they become bytes and come back.

A run folder holds ``run.json`` (one `RunInfo`) and ``events-<rank>.jsonl`` (one record a line). The format is
described for people in ``docs/log-format.md``; this module is its only implementation.

Numbers: losses and metrics carry 9 significant digits, per-layer statistics 5, times milliseconds. Numbers that are
not finite are data and stand as the strings "NaN", "Infinity" and "-Infinity" (the JSON mapping of protocol buffers).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from trainhealth.errors import LogError

SCHEMA_VERSION = 1

METRIC_DIGITS = 9
STATISTIC_DIGITS = 5

Number: TypeAlias = float | Literal["NaN", "Infinity", "-Infinity"]

_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_float(number: Number | None) -> float:
    """Return the float that a logged number stands for; a missing one (null) is NaN."""
    if number is None:
        return math.nan
    if isinstance(number, str):
        return _NONFINITE[number]
    return number


def number_text(value: float, digits: int) -> str:
    """Return `value` as JSON with `digits` significant digits; non-finite values as their strings."""
    if math.isfinite(value):
        return f"{value:.{digits}g}"
    return '"NaN"' if value != value else '"Infinity"' if value > 0 else '"-Infinity"'


# --- the records ------------------------------------------------------------------------------------------------------


class _Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    step: int  # optimizer updates finished before this record; a step's own record carries the step's number, from 0
    time: float  # seconds since 1970, to the millisecond


class StartRecord(_Record, frozen=True, tag="start"):
    """A process begins (or, `resumed`, continues) to write: later steps replace earlier ones from `step` on."""

    schema_version: int = SCHEMA_VERSION
    trainhealth: str = ""
    rank: int = 0
    world_size: int = 1
    pid: int = 0
    resumed: bool = False


class LayerEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One place in the model at which activations are measured, in order of execution."""

    name: str  # the module's qualified name; for an activation function "<layer that feeds it>/<function>"
    type: str  # class of the module, or name of the function
    activation: str | None = None  # "relu", "sigmoid", "tanh", "gelu" …: set for nonlinearities
    fed_by: str | None = None  # the layer whose output the nonlinearity gets
    unit_axis: int | None = None  # which axis of the output counts units
    units: int | None = None  # how many units there are


class ParameterEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One parameter tensor (a shared one stands once, under its first name)."""

    name: str
    shape: list[int]
    layer: str = ""  # qualified name of the module that owns it
    trainable: bool = True
    optimized: bool = True  # it is in a parameter group of a watched optimizer


class LayoutRecord(_Record, frozen=True, tag="layout"):
    """Names the places that the columns of later samples stand for; written again when they change."""

    layout: int
    layers: list[LayerEntry] = []
    parameters: list[ParameterEntry] = []


class StepRecord(_Record, frozen=True, tag="step"):
    """One optimizer update."""

    train_loss: Number | None = None  # the sum, where there are several losses
    losses: dict[str, Number] | None = None
    train_accuracy: Number | None = None
    gradient_norm: Number | None = None
    learning_rate: Number | None = None  # only when it changed
    learning_rates: list[Number] | None = None  # one a parameter group, where they differ; only when they changed
    batch_size: int | None = None  # only when it changed
    micro_batches: int | None = None  # where there was more than one
    skipped: bool = False  # the loss scaler skipped the update


class SampleRecord(_Record, frozen=True, tag="sample"):
    """Per-layer and per-parameter statistics of one sampled step, as columns in the order of `layout`."""

    layout: int
    batch_size: int | None = None
    layers: dict[str, list[Number | None]] = {}
    parameters: dict[str, list[Number | None]] = {}
    inputs: dict[str, Number] = {}
    dead_units: list[str | None] | None = (
        None  # a layer: bit set as hexadecimal digits, bit 0 first; null: no window yet
    )
    dead_window: list[int] | None = None  # batches and examples that the window of `dead_units` holds
    cost: float | None = None  # milliseconds that sampling this step cost
    interval: int | None = None  # steps between samples, in force from here on
    thinned: list[str] | None = None  # layers whose statistics come from a strided part of the output


class EpochRecord(_Record, frozen=True, tag="epoch"):
    """`watch.epoch(...)`: an epoch ended; epochs count from 0."""

    epoch: int
    values: dict[str, Number] = {}


class EvaluationRecord(_Record, frozen=True, tag="evaluation"):
    """`watch.log(...)`: values of any name, at a step."""

    values: dict[str, Number] = {}


class EventRecord(_Record, frozen=True, tag="event"):
    """Something that is not a number: `event` names it, `message` says it to a person, `data` to a program."""

    event: str
    message: str = ""
    data: dict[str, Any] = {}


class ErrorRecord(_Record, frozen=True, tag="error"):
    """The training script raised."""

    type: str
    message: str = ""


class EndRecord(_Record, frozen=True, tag="end"):
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

    line: int  # from 1
    reason: str
    text: str = ""  # its beginning


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
    created: float = 0.0
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


def decode_line(line: bytes, number: int) -> Record | Skipped | None:
    """Return the record in `line`, `Skipped` where it can't be read, None where it is blank or of a newer kind.

    Raises:
        LogError: the line is a start record of a newer schema.
    """
    if not line.strip():
        return None
    try:
        record: Record = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _explain(line, number, error)
    if isinstance(record, StartRecord) and record.schema_version > SCHEMA_VERSION:
        raise newer_schema(record.schema_version, f"line {number}")
    return record


def decode_lines(lines: bytes, first_number: int) -> list[Record | Skipped]:
    """Return the records of whole lines; as `decode_line` for each, at the speed of one call for all."""
    try:
        records: list[Record | Skipped] = _decoder.decode_lines(lines)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # some line is broken or newer: one by one, below
    else:
        if not any(isinstance(record, StartRecord) and record.schema_version > SCHEMA_VERSION for record in records):
            return records
    decoded = (decode_line(line, number) for number, line in enumerate(lines.split(b"\n"), first_number))
    return [record for record in decoded if record is not None]


def _explain(line: bytes, number: int, error: Exception) -> Skipped | None:
    """Tell a record of an unknown kind (no complaint: a newer writer) from a line that is broken."""
    text = line[:120].decode("utf-8", "replace")
    try:
        fields = _any_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Skipped(number, f"not a JSON object: {error}", text)
    kind = fields.get("kind")
    if isinstance(kind, str) and kind not in _KINDS:
        return None
    return Skipped(number, str(error), text)


def newer_schema(version: object, where: str) -> LogError:
    """Return the error for a log that a newer trainhealth wrote."""
    return LogError(
        f"{where}: the log has schema version {version}, this trainhealth reads up to {SCHEMA_VERSION}",
        "Update it: pip install --upgrade trainhealth",
    )


def encode(record: Record) -> bytes:
    """Return `record` as one line, its numbers rounded to the digits that the format states."""
    digits = STATISTIC_DIGITS if isinstance(record, SampleRecord) else METRIC_DIGITS
    fields = {"kind": record.__struct_config__.tag, **msgspec.structs.asdict(record)}
    defaults = record.__struct_defaults__
    names = record.__struct_fields__
    required = len(names) - len(defaults)
    for name, default in zip(names[required:], defaults, strict=True):
        if fields[name] is None or (fields[name] == default and not isinstance(record, StartRecord)):
            del fields[name]
    for name in [name for name, value in fields.items() if value == {} or value == []]:
        del fields[name]
    fields.pop("time")
    head = f'"time":{record.time:.3f}'
    body = ",".join(
        f"{_text(name)}:{_json(value, digits)}" for name, value in fields.items() if name not in ("kind", "step")
    )
    return f'{{"kind":"{fields["kind"]}","step":{record.step},{head}{"," if body else ""}{body}}}\n'.encode()


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
    loss_text = (
        ""
        if loss is None
        else f',"train_loss":{loss:.9g}'
        if math.isfinite(loss)
        else f',"train_loss":{number_text(loss, 9)}'
    )
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
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LogError(
            f"{where}: not a run.json: {error}", "Restore the file, or name the events-*.jsonl file itself."
        ) from error


def encode_info(info: RunInfo) -> bytes:
    """Return `info` as the content of ``run.json``, indented for people."""
    fields = {"schema_version": info.schema_version, **msgspec.structs.asdict(info)}
    return msgspec.json.format(_json(fields, METRIC_DIGITS).encode(), indent=2) + b"\n"


def _text(text: str) -> str:
    return msgspec.json.encode(str(text)).decode()  # str(): msgspec takes no subclasses (torch's version is one)


def _json(value: object, digits: int) -> str:
    """Return `value` as JSON text; whatever JSON has no word for stands as its `str`."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return number_text(float(value), digits)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(str(key))}:{_json(item, digits)}" for key, item in value.items()) + "}"
    if isinstance(value, msgspec.Struct):
        present = {k: v for k, v in msgspec.structs.asdict(value).items() if v is not None and v != []}
        return _json(present, digits)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return _json(value.item(), digits)  # a scalar of numpy or torch
    if isinstance(value, Iterable):
        return "[" + ",".join(_json(item, digits) for item in value) + "]"
    return _text(str(value))
