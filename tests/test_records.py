"""Records become lines and come back as they were."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.errors import LogError
from trainhealth.logged_numbers import number_text, to_float
from trainhealth.records import (
    METRIC_DIGITS,
    STATISTIC_DIGITS,
    EndRecord,
    EpochRecord,
    ErrorRecord,
    EvaluationRecord,
    EventRecord,
    LayerEntry,
    LayoutRecord,
    OptimizerInfo,
    ParameterEntry,
    Record,
    RunInfo,
    SampleRecord,
    Skipped,
    StartRecord,
    StepRecord,
    decode_info,
    decode_lines,
    encode,
    encode_info,
    encode_step,
)

# --- strategies: records with anything that a training script can put into them ---------------------------------------

FLOATS = st.floats() | st.sampled_from([5e-324, -0.0, 1e-310, 1.7976931348623157e308, math.nan, math.inf, -math.inf])
COUNTS = st.integers(0, 2**53)
TEXTS = st.text(max_size=20)
VALUES = st.dictionaries(TEXTS, FLOATS, max_size=3)
COLUMNS = st.dictionaries(TEXTS, st.lists(st.none() | FLOATS, min_size=1, max_size=4), max_size=3)
BIT_SETS = st.integers(0, 2**200).map(lambda bits: f"{bits:x}")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)
LAYERS = st.builds(
    LayerEntry,
    name=TEXTS,
    type=TEXTS,
    activation=st.none() | TEXTS,
    fed_by=st.none() | TEXTS,
    unit_axis=st.none() | st.integers(-4, 4),
    units=st.none() | COUNTS,
)
PARAMETERS = st.builds(
    ParameterEntry, name=TEXTS, shape=st.lists(COUNTS, max_size=4), layer=TEXTS, trainable=..., optimized=...
)


def _records(cls: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Record]:
    times = st.floats(0, 4e9).map(lambda seconds: round(seconds, 3))
    return st.builds(cls, step=COUNTS, time=times, **fields)


RECORDS = st.one_of(
    _records(
        StartRecord, trainhealth=TEXTS, rank=COUNTS, world_size=COUNTS, pid=COUNTS, host=TEXTS, resumed=st.booleans()
    ),
    _records(
        LayoutRecord,
        layout=COUNTS,
        layers=st.lists(LAYERS, max_size=3),
        parameters=st.lists(PARAMETERS, max_size=3),
    ),
    _records(
        StepRecord,
        train_loss=st.none() | FLOATS,
        losses=st.none() | VALUES.filter(bool),
        train_accuracy=st.none() | FLOATS,
        gradient_norm=st.none() | FLOATS,
        learning_rate=st.none() | FLOATS,
        learning_rates=st.none() | st.lists(FLOATS, min_size=1, max_size=3),
        batch_size=st.none() | COUNTS,
        micro_batches=st.none() | COUNTS,
        skipped=st.booleans(),
    ),
    _records(
        SampleRecord,
        layout=COUNTS,
        batch_size=st.none() | COUNTS,
        layers=COLUMNS,
        parameters=COLUMNS,
        batch=VALUES,
        dead_units=st.none() | st.lists(st.none() | BIT_SETS, min_size=1, max_size=3),
        dead_window=st.none() | st.lists(COUNTS, min_size=2, max_size=2),
        cost=st.none() | st.floats(0, 1e6),
        interval=st.none() | COUNTS,
        overhead=st.none() | st.floats(0, 10),
        thinned=st.none() | st.lists(TEXTS, min_size=1, max_size=2),
    ),
    _records(EpochRecord, epoch=COUNTS, values=VALUES),
    _records(EvaluationRecord, values=VALUES),
    _records(EventRecord, event=TEXTS, message=TEXTS, data=OBJECTS),
    _records(ErrorRecord, type=TEXTS, message=TEXTS),
    _records(EndRecord, reason=TEXTS),
)


def _rounded(value: Any, digits: int) -> Any:
    """Return what the log can say of `value`: floats with so many digits, non-finite ones as strings."""
    if isinstance(value, float):
        if abs(value) >= 1.7976e308:
            return "Infinity" if value > 0 else "-Infinity"
        return float(f"{value:.{digits}g}") if math.isfinite(value) else "NaN"
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    if isinstance(value, dict):
        return {name: _rounded(item, digits) for name, item in value.items()}
    if isinstance(value, msgspec.Struct):
        return type(value)(**_rounded(msgspec.structs.asdict(value), digits))
    return value


def _alike(one: Any, other: Any) -> bool:
    """Tell whether two records are equal, where 1 and 1.0 are (JSON does not tell them apart)."""
    return bool(msgspec.to_builtins(one) == msgspec.to_builtins(other))


def _read(data: bytes) -> list[Record | Skipped]:
    return decode_lines(data, 1)[0]


# --- there and back ---------------------------------------------------------------------------------------------------


@given(RECORDS)
def test_a_record_of_any_kind_comes_back_as_it_was_but_for_its_digits(record: Record) -> None:
    """Whatever floats, texts and nesting it holds, and with its time to the millisecond."""
    digits = STATISTIC_DIGITS if isinstance(record, SampleRecord) else METRIC_DIGITS
    fields = {name: value for name, value in msgspec.structs.asdict(record).items() if name != "time"}
    expected = type(record)(time=record.time, **{name: _rounded(value, digits) for name, value in fields.items()})
    line = encode(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    [back] = _read(line)
    assert type(back) is type(record)
    assert _alike(back, expected)


@given(
    step=COUNTS,
    seconds=st.floats(0, 4e9),
    loss=st.none() | FLOATS,
    norm=st.none() | FLOATS,
    accuracy=st.none() | FLOATS,
    rate=st.none() | FLOATS,
    size=st.none() | COUNTS,
)
def test_the_short_way_to_a_steps_line_gives_the_same_bytes(
    step: int,
    seconds: float,
    loss: float | None,
    norm: float | None,
    accuracy: float | None,
    rate: float | None,
    size: int | None,
) -> None:
    """`encode_step` is `encode(StepRecord(...))`, only faster."""
    short = encode_step(step, seconds, loss, norm, train_accuracy=accuracy, learning_rate=rate, batch_size=size)
    record = StepRecord(
        step=step,
        time=seconds,
        train_loss=loss,
        gradient_norm=norm,
        train_accuracy=accuracy,
        learning_rate=rate,
        batch_size=size,
    )
    assert short == encode(record)


def test_the_line_of_a_step_is_shorter_than_150_bytes() -> None:
    """Even at step ten million, with gradient norm, accuracy and all digits."""
    line = encode_step(12_345_678, 1763712000.123, 0.000123456789, 12345.6789, train_accuracy=0.984375)
    assert len(line) < 150


def test_losses_have_nine_digits_statistics_five_and_times_milliseconds() -> None:
    """The lectures' own example of a low rate differs in the seventh digit of the loss."""
    step = encode(StepRecord(step=7, time=1.23456, train_loss=2.30258509299))
    sample = encode(SampleRecord(step=7, time=1.23456, layout=0, layers={"activation_std": [0.123456789]}))
    assert step == b'{"kind":"step","step":7,"time":1.235,"train_loss":2.30258509}\n'
    assert sample == b'{"kind":"sample","step":7,"time":1.235,"layout":0,"layers":{"activation_std":[0.12346]}}\n'


@pytest.mark.parametrize(("value", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_a_number_that_is_not_finite_is_a_string(value: float, text: str) -> None:
    """As in the JSON mapping of protocol buffers; it is data, and means what it meant."""
    line = encode(StepRecord(step=0, time=0.0, train_loss=value))
    assert f'"train_loss":"{text}"'.encode() in line
    [record] = _read(line)
    assert isinstance(record, StepRecord)
    assert to_float(record.train_loss) == pytest.approx(value, nan_ok=True)


def test_the_largest_float_does_not_round_to_a_number_that_no_reader_takes() -> None:
    """Five digits of 1.79769e308 would be 1.7977e308, which overflows: it is written as infinity."""
    assert number_text(1.7976931348623157e308, 5) == '"Infinity"'
    assert number_text(1.7975e308, 5) == "1.7975e+308"


def test_a_missing_number_is_nan() -> None:
    """A statistic that a place does not have stands as null in its column."""
    assert math.isnan(to_float(None))


def test_a_parameter_without_dimensions_keeps_its_empty_shape() -> None:
    """A scalar parameter (a temperature, say) has the shape []: not the same as no shape."""
    layout = LayoutRecord(step=0, time=0.0, layout=0, parameters=[ParameterEntry(name="temperature", shape=[])])
    assert _read(encode(layout)) == [layout]


def test_a_start_record_says_all_of_its_fields() -> None:
    """A reader in another language needs no defaults to know the schema and the rank."""
    line = encode(StartRecord(step=0, time=0.0))
    assert set(msgspec.json.decode(line)) == {"kind", *StartRecord.__struct_fields__}


def test_hyperparameters_of_any_type_become_json() -> None:
    """numpy's numbers and arrays, sets, paths with undecodable bytes: never an error in the user's training."""

    class Scheduler:
        def __str__(self) -> str:
            return "cosine"

    hyperparameters = {
        "rate": np.float32(0.5),
        "size": np.int64(64),
        "nesterov": np.bool_(True),
        "betas": (0.9, 0.999),
        "weights": np.array([1.0, math.nan]),
        "layers": {3},
        "share": Fraction(1, 4),
        "schedule": Scheduler(),
        "data": "/data/\udcff",
        7: None,
    }
    info = decode_info(encode_info(RunInfo(hyperparameters=hyperparameters)), "run.json")  # type: ignore[arg-type]
    assert info.hyperparameters == {
        "rate": 0.5,
        "size": 64,
        "nesterov": True,
        "betas": [0.9, 0.999],
        "weights": [1, "NaN"],
        "layers": [3],
        "share": 0.25,
        "schedule": "cosine",
        "data": "/data/?",
        "7": None,
    }


# --- run.json ---------------------------------------------------------------------------------------------------------


@given(OBJECTS)
def test_run_json_comes_back_as_it_was(hyperparameters: dict[str, Any]) -> None:
    """With nested hyperparameters and an optimizer's settings."""
    optimizer = OptimizerInfo(name="", type="AdamW", groups=[{"lr": 0.001, "betas": [0.9, 0.999]}])
    info = RunInfo(name="baseline", optimizers=[optimizer], hyperparameters=hyperparameters, total_steps=100)
    assert _alike(decode_info(encode_info(info), "run.json"), _rounded(info, METRIC_DIGITS))


@pytest.mark.parametrize(
    "content",
    [b"", b'{"schema_version": 1, "name": "base', b"[]", b"null", b"\xff\xfe", b'{"parameters": "many"}', b"[" * 5000],
)
def test_a_broken_run_json_is_an_error_that_names_the_file(content: bytes) -> None:
    """Half written, of another form, or no text at all."""
    with pytest.raises(LogError, match=r"^runs/base/run\.json: not a run\.json: ") as raised:
        decode_info(content, "runs/base/run.json")
    assert "move it away" in raised.value.hint


def test_a_run_json_of_a_newer_schema_is_an_error_that_names_both_versions() -> None:
    """The fields may mean something else there, so that reading on would be guessing."""
    with pytest.raises(LogError, match=r"^run\.json: .* schema version 2, .* up to 1") as raised:
        decode_info(b'{"schema_version": 2, "name": ["anything"]}', "run.json")
    assert "--upgrade" in raised.value.hint
