"""Lines of a log as they stand in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.records import StepRecord, encode
from trainhealth.tui.raw_lines import LONGEST, MOST_LINES, raw_lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of the steps 0, 2, 4 … 19998."""
    path = tmp_path / "events-0.jsonl"
    path.write_bytes(b"".join(encode(StepRecord(step=step, time=0.0, train_loss=step)) for step in range(0, 20_000, 2)))
    return path


@pytest.mark.parametrize("step", [0, 2, 5, 9_998, 19_998])
def test_a_number_is_a_step(log: Path, step: int) -> None:
    """The first record at or after it, and what stands around it."""
    found = raw_lines(log, str(step))
    assert found.wanted is not None
    assert f'"step":{step + step % 2},' in found.lines[found.wanted]
    assert len(found.lines) > 100


def test_without_a_wish_these_are_the_last_lines(log: Path) -> None:
    """So too where there is no such step."""
    for wish in ("", " ", "20000", "nowhere"):
        last = raw_lines(log, wish)
        assert '"step":19998,' in last.lines[-1]
        assert last.wanted is None
        assert len(last.lines) <= MOST_LINES


def test_words_are_found_in_upper_and_lower_case(log: Path) -> None:
    """The first line that holds them."""
    with log.open("a") as file:
        file.write('{"kind":"error","step":19999,"time":0,"type":"RuntimeError","message":"out of memory"}\n')
    found = raw_lines(log, "runtimeerror")
    assert found.wanted == len(found.lines) - 1


def test_a_foreign_log_is_searched_for_the_number(tmp_path: Path) -> None:
    """Its lines have no steps that could be known."""
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n" + "".join(f"{epoch},{epoch / 10}\n" for epoch in range(50)))
    found = raw_lines(path, "17,")
    assert found.wanted is not None
    assert found.lines[found.wanted] == "17,1.7"


def test_a_line_of_a_hundred_megabytes_is_cut(tmp_path: Path) -> None:
    """It is neither read as a whole nor shown as a whole."""
    path = tmp_path / "events-0.jsonl"
    with path.open("wb") as file:
        file.write(b'{"kind":"step","step":0,"time":0}\n{"kind":"event","step":1,"time":0,"message":"')
        file.seek(100 << 20)
        file.write(b'"}\n')
    assert raw_lines(path).problem == "This log is no text."
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(b'{"kind":"step","step":0,"time":0}\n' + b"x" * (1 << 20) + b'\n{"kind":"step","step":2,"time":0}\n')
    assert raw_lines(path, "0").lines[0] == '{"kind":"step","step":0,"time":0}'
    assert max(len(line) for line in raw_lines(path, "xxx").lines) == LONGEST


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_what_can_not_be_read_says_why(tmp_path: Path, name: str) -> None:
    """A deleted file, a folder."""
    assert "directory" in raw_lines(tmp_path / name).problem


def test_an_empty_log_has_no_lines(tmp_path: Path) -> None:
    """A run that has just begun."""
    (tmp_path / "log").touch()
    assert raw_lines(tmp_path / "log", "5").lines == ()


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60)), min_size=1, max_size=30), st.integers(0, 41))
def test_the_first_record_at_or_after_a_step_is_found(steps: list[tuple[int, int]], wish: int) -> None:
    """Whatever the lines' lengths, and whichever steps are missing."""
    import tempfile

    ascending = sorted(step for step, _ in steps)
    texts = [
        f'{{"kind":"event","step":{step},"message":"{"m" * length}"}}'
        for step, (_, length) in zip(ascending, steps, strict=True)
    ]
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(f"{text}\n" for text in texts))
        file.flush()
        found = raw_lines(Path(file.name), str(wish))
    expected = next((number for number, step in enumerate(ascending) if step >= wish), None)
    assert found.wanted == expected
