"""docs/log-format.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from trainhealth.records import (
    LayerEntry,
    OptimizerInfo,
    ParameterEntry,
    Record,
    RunInfo,
    Skipped,
    decode_info,
    decode_lines,
)


def _read(data: bytes) -> list[Record | Skipped]:
    return decode_lines(data, 1)[0]


DOCUMENT = (Path(__file__).parents[1] / "docs" / "log-format.md").read_text()
EXAMPLES = re.findall(r"^```json\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


def test_every_example_in_the_documentation_is_read() -> None:
    """The examples are real lines, and there is one of every kind."""
    records = [record for example in EXAMPLES if '"kind"' in example for record in _read(example.encode())]
    assert not [record for record in records if isinstance(record, Skipped)]
    assert {type(record) for record in records} == set(Record.__args__)


def test_the_example_of_run_json_is_read() -> None:
    """It names every field."""
    [example] = [example for example in EXAMPLES if '"kind"' not in example]
    decode_info(example.encode(), "docs/log-format.md")
    assert set(msgspec.json.decode(example)) == set(RunInfo.__struct_fields__)


@pytest.mark.parametrize("struct", [*Record.__args__, LayerEntry, ParameterEntry, RunInfo, OptimizerInfo])
def test_every_field_is_documented(struct: type[msgspec.Struct]) -> None:
    """A field that is added without a word in docs/log-format.md fails here."""
    heading = {LayerEntry: "layout", ParameterEntry: "layout", RunInfo: "run.json", OptimizerInfo: "run.json"}
    title = heading.get(struct) or struct.__struct_config__.tag
    [section] = re.findall(rf"^### `{title}`.*?\n(.*?)(?=^##|\Z)", DOCUMENT, re.DOTALL | re.MULTILINE)
    common = {"step", "time"}
    missing = [name for name in struct.__struct_fields__ if f"`{name}`" not in section and name not in common]
    assert not missing
