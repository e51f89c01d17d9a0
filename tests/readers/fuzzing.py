"""Mutated logs: cut, doubled, overwritten, mixed with others', read as a person would have them read.

``python -m benchmarks.fuzzing`` does it for as many files of every kind as it is told; the tests for some.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.readers.kinds import Kind
from trainhealth import plugins
from trainhealth.builder import RunBuilder
from trainhealth.cli import main
from trainhealth.cli.exit_codes import ExitCode
from trainhealth.errors import LogError
from trainhealth.foreign import understood
from trainhealth.readers.base import Reader
from trainhealth.readers.names import Names
from trainhealth.series import RunView
from trainhealth.testing import read_in_pieces

READERS: tuple[type[Reader], ...] = plugins.load("trainhealth.readers")
BY_NAME = {reader.name: reader for reader in READERS}
ANSWERED = 100  # of so many files one is given to the commands, too: they take a hundred times as long
COMMANDS = (("check",), ("info",), ("info", "--format", "json"), ("export",), ("live", "--once"))
_NUMBERS = (
    *(
        b"nan",
        b"-inf",
        b"1e999",
        b"9" * 400,
        b"9" * 5000,
        b"-1",
        b"",
        b"1,5",
        b"0x1F",
        b"\xd9\xa3",
        b"1_000",
        b"e",
        b"..",
        b"\x00",
    ),
    *(b"-0", b"1e-400", b"\xc2\xb2", b"9007199254740993", b"18446744073709551616", b"null", b"true", b"[]", b"{}"),
)
_MARKS = (
    *(b"\r", b"\n", b"\r\n", b"\x1b[31m", b"\b" * 9, b'"', b"{", b"}", b"[[[[", b",,", b"\0" * 99, b"\xff\xfe", b"|"),
    *(b"epoch", b"loss", b"step", b"val", b"Epoch 1:", b"{'loss': ", b"\xe2\x81\xb5", b"\x85", b"\xe2\x80\xa8", b"%"),
)


class Outcome(NamedTuple):
    """What became of the mutated files of one kind."""

    read: int
    refused: int  # with a message that says why


class FileFailedError(Exception):
    """A file that raises what it must not; `data` is what a person needs to mend it."""

    def __init__(self, kind: str, number: int, data: bytes, error: BaseException | str) -> None:
        super().__init__(f"{kind}, file {number}: {type(error).__name__}: {error}; it is {data[:2000]!r}")
        self.data = data


def fuzz(name: str, kind: Kind, others: Sequence[bytes], files: int, seed: int) -> Outcome:
    """Read so many mutated files of a kind, and say what became of them; a seed gives the same files again.

    Each is read whole by the reader that is surest of it, and in pieces by the one that the kind belongs to.

    Raises:
        FileFailedError: one raises anything but `LogError`, pieces give other records, or a command or a rule fails.
    """
    source = random.Random(f"{name} {seed}")
    read = refused = 0
    for number in range(files):
        data = mutated(kind.log, others, source)
        try:
            view_of(data, kind.file)
            _read_in_pieces(BY_NAME[kind.format], data, source)
            if number % ANSWERED == 0:
                _ask_the_commands(data, kind.file)
        except LogError:
            refused += 1
        except Exception as error:
            raise FileFailedError(name, number, data, error) from error
        else:
            read += 1
    return Outcome(read, refused)


def mutated(log: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """Return a log changed in some of the ways that happen: by crashes, bad copies, two writers, editors."""
    data = bytearray(log)
    for _ in range(source.randint(1, 5)):
        at = source.randrange(len(data) + 1)
        match source.randrange(9):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + source.randint(1, 30)]
            case 2:
                data[at:at] = data[source.randrange(len(data) + 1) :][: source.randint(1, 200)]
            case 3:
                data[at : at + 1] = bytes([source.randrange(256)])
            case 4:
                places = [place for place, byte in enumerate(data) if 48 <= byte < 58]
                if places:
                    place = source.choice(places)
                    data[place : place + 1] = source.choice(_NUMBERS)
            case 5:
                data[at:at] = source.choice(_MARKS)
            case 6:
                other = source.choice(others)
                begin = source.randrange(len(other))
                data[at:at] = other[begin : begin + source.randint(1, 300)]
            case 7:
                data = data[at:] + data[:at]
            case _:
                data[at : at + 30] = source.randbytes(source.randint(1, 30))
    return bytes(data)


def view_of(data: bytes, file_name: str) -> RunView:
    """Return what comes of a file's bytes, by the reader that is surest of it, understood and built."""
    surest = max(READERS, key=lambda reader: reader.sniff(data, file_name))
    reader = surest(Names(), file_name) if surest.foreign else surest()
    builder = RunBuilder("file", reader.name)
    builder.feed([*reader.feed(data), *reader.settle()], 0)
    view = builder.view()
    return understood(view, Names(), reader.split_of, reader.unit_of) if surest.foreign else view


def _read_in_pieces(reader: type[Reader], data: bytes, source: random.Random) -> None:
    cuts = [source.randrange(len(data) + 1) for _ in range(source.randint(1, 6))]
    assert read_in_pieces(reader, data, cuts) == read_in_pieces(reader, data, ()), f"cut at {cuts}: other records"


def _ask_the_commands(data: bytes, file_name: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, file_name)
        path.write_bytes(data)
        for command, *options in COMMANDS:
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                code = main([command, *options, str(path)])
            assert code in (ExitCode.OK, ExitCode.FOUND, ExitCode.UNREADABLE), f"{command}: {err.getvalue()[-2000:]}"
            assert "please report" not in out.getvalue(), f"{command}: {out.getvalue()[-2000:]}"
            assert "Traceback" not in err.getvalue() + out.getvalue(), f"{command}: {err.getvalue()[-2000:]}"
