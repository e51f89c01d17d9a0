"""Plain text: what training scripts print. Lines in which a loss or an accuracy stands beside its number.

    Epoch 3/10: loss: 0.41 - val_loss: 0.55          step 250: train loss 2.4313, val loss 2.4457
    [1/30] iter: 100/278. lr:0.00003 Loss: 0.095     Epoch: [3][10/200]  Loss 2.31 (2.40)  Acc@1 41.2 (40.9)

A name counts if it means a signal (``names.py``); everything else on the line is passed over, and a line without loss
or accuracy says nothing. Steps that begin anew with every epoch are counted on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import ClassVar, NamedTuple

from trainhealth.error_losses import signal_of
from trainhealth.readers.base import DEFAULT_NAMES
from trainhealth.readers.clock import COUNT, Clock
from trainhealth.readers.line_reader import LineReader
from trainhealth.readers.lines import Line, Lines
from trainhealth.readers.lone_numbers import LoneNumbers, placed_number
from trainhealth.readers.names import Axis, Meaning, Names, adversary, of_file
from trainhealth.readers.pairs import pairs
from trainhealth.readers.rows import Rows, as_number, unwrapped
from trainhealth.readers.text_box import TextBox
from trainhealth.readers.text_dictionary import dictionary_of
from trainhealth.readers.text_split_table import SplitTable
from trainhealth.readers.text_table import TextTable
from trainhealth.records import Record, Skipped

_SPLIT = re.compile(
    r"\b(?P<split>val|valid|validation|validating|validated|eval|evaluation|evaluated?|dev|test|testing)\b", re.I
)
_SPLITS = {"test": "test", "testing": "test"}
_ANNOUNCED = re.compile(r"^[^\d]{0,60}:\s*$")  # "Test Error:", with the numbers on the next line
# "evaluate:dev", "testing in eval mode...": what follows is of that split, where it does not say it
_EVALUATES = re.compile(r"\b(?:evaluate|evaluating|testing|validating)\b[^\d=]{0,40}$", re.I)
_NEAR = 5  # lines within which its numbers stand
_TRAINS = re.compile(r"\btrain(?:ing)?\b(?!\.\w)", re.I)  # "train.log" is a file
# behind the word "Val": " Acc: 0.7"; the word belongs to that number
_OWN_NUMBER = re.compile(r"(?:[ _/-]?[A-Za-z@][\w@/.-]{0,40}+){0,3}\s*(?:\([^()]{0,40}\))?\s*[:=]?\s*[-+]?\.?\d")
_GROUPED = re.compile(  # "step  40,000", "iter: 9,000/270,000"
    r"\b(?:global[_ ])?(?:steps?|iters?|iterations?|epochs?|updates?)\b\W{0,8}"
    r"\d{1,3}(?:,\d{3})+(?!\d|[,.]\d)(?:\s*/\s*\d[\d,]*\d)?",
    re.I,
)
_TOP = re.compile(r"\btop[ -](?=\d{1,4}\b)", re.I)
_OF_SAME = re.compile(r"^\s*\*\s")  # " *   Acc@1 22.1": the mean over the lines before
_OF_BATCH = re.compile(r"\[\s*\d+\s*/\s*\d+\s*[\](]")  # "Test: [10/79]": where in the evaluation the line stands
_BAR = re.compile(rf"^\s*(?P<now>{COUNT})/(?P<total>{COUNT})\s*(?:\[[=>.\s]*\]|[━\s]*━|\s-\s+\d)")  # Keras's
_ENDLESS = re.compile(r"^\s*\d+/Unknown\b")  # Keras's in the first epoch, while it does not know how long one is
_ROW = re.compile(r"^\s*\{.*\}\s*$")  # behind it a bar goes on, on the same line of the terminal
_CODE = re.compile(r"^\s*(?:import \w|from [\w.]+ import |def \w+\(|class \w+[(:]|@\w+)")
_ASSIGNED = re.compile(
    r"^\s*[\w.,\[\] ]+\s=\s|[\"'(]\s*$|^\s*(?:print|return|if|for|with|raise|else|elif|assert)\b|f[\"']"
)
_OUTPUT = re.compile(r"\bTrain net output #\d+: ")  # Caffe's, of one batch; a line before has the mean over several
_SPACE = re.compile(r"\s{3,}")  # says no more than two spaces, and a pattern may try each of its parts
_LONGEST = 20_000  # letters of a line that are looked at, where it is no dictionary
_ROUNDED = re.compile(r"0?\.0+")  # a rate that is printed so need not be zero
_TELLING = (  # parts of words, one of which every line has that says something: few lines of a chatty log do
    *("loss", "acc", "cost", "objective", "nll", "top1", "top-1", "prec", "xent", "ce:", "ce=", "ce ", "trl:", "tel:"),
    *("epoch", "step", "iter", "train", "val", "test", "eval", "dev", "---", "===", "***", "###", "* ", "{"),
    *("import ", "def ", "class "),
)


class _Waiting(NamedTuple):
    """A row that the lines to come may still replace."""

    key: tuple[object, ...]
    row: dict[str, object]
    step: int | None


class TextReader(LineReader):
    """Reads what a training script prints."""

    name = "text"
    sample: ClassVar[tuple[str, bytes]] = (
        "train.log",
        b"2025-06-04 17:36:55,374 - INFO - Using device: cpu\n"
        b"Epoch 1/3, train loss: 2.3012, val loss: 2.2911, val acc: 11.35%\n"
        b"Epoch 2/3, train loss: 1.9022, val loss: 1.8533, val acc: 31.02%\n",
    )

    def __init__(self, names: Names = DEFAULT_NAMES, file: str = "") -> None:
        super().__init__(names, file)
        self._dictionaries = Rows(names, fractions=True)
        self._clock = Clock()
        self._table = TextTable(names)
        self._box = TextBox(names)
        self._splits = SplitTable(names)
        self._named = of_file(PurePath(file).stem)[1]  # what the file is called after
        self._lone: LoneNumbers | None = LoneNumbers(names, self._named)  # until a line says more
        self._split = ""  # of the last line that named one
        self._announced = ""  # for the next line
        self._evaluates = ""  # for the next numbers at this place
        self._until = 0  # number of the last line that it may be for
        self._bar: tuple[int | None, int] = (None, 0)  # epoch and length of the last full progress bar
        self._waiting: _Waiting | None = None
        self._code = False  # the log holds the source of its program
        self._of_steps: set[str] = set()  # columns that have stood on lines with a step of their own
        self._told: set[str] = set()  # what the lines without a dictionary have told of

    @classmethod
    def sniff(cls, head: bytes, file_name: str) -> float:
        """Recognise a line with a loss or an accuracy; a log may begin with pages of settings."""
        lines = Lines()
        text = "\n".join(line.text for line in [*lines.feed(head), *lines.settle()])
        printable = sum(letter.isprintable() or letter.isspace() for letter in text) >= 0.9 * len(text)
        if not text.strip() or not printable:
            return 0.0
        reader = cls(file=file_name)
        reader._lone = None  # numbers without names may be anything: who names such a file knows that it is a log
        return 0.3 if any(reader.feed(head)) or any(reader.settle()) else 0.05

    def settle(self) -> list[Record | Skipped]:
        """Return the records of a last line without an end, and of a row that nothing will replace any more."""
        return [*super().settle(), *self._let_go()]

    def dictionary(self, text: str, values: dict[str, object]) -> Iterator[Record | Skipped]:
        """Yield the records of a line that ends with a dictionary; formats that write such lines override it.

        Among other lines, one without a place of its own is a summary: what they have told of is passed over.
        """
        row = self._row(text, values, "")
        placed = any(self.names.meaning(column).axis in (Axis.STEP, Axis.EPOCH) for column in values)
        if row and self._told and not placed:
            row = {column: value for column, value in row.items() if self.names.meaning(column).name not in self._told}
            yield from self._placed(row) if row else ()
        elif row:
            yield from self._dictionaries.records(values)

    def line(self, line: Line) -> Iterator[Record | Skipped]:
        """Return the records of what stands beside names, in a dictionary or below a header."""
        if not line.text.strip() or (line.overwritten and not _ROW.match(line.text)):
            return  # a progress bar's state: the last one counts
        text = _SPACE.sub("  ", line.text)
        awaited = self._table.open or self._box.open or self._splits.open
        lone = () if self._lone is None or awaited else [*self._lone.rows(unwrapped(text))]
        for row, step in lone:
            yield from self.rows.records(row, step=step)
        for record in () if lone else self._said(line.number, text, awaited or bool(self.names.chosen)):
            self._lone = None
            yield record

    def _said(self, number: int, text: str, awaited: bool) -> Iterator[Record | Skipped]:
        """Yield the records of a line that says what its numbers are; `awaited`: whatever words it has."""
        lower = text.lower()
        if not (awaited or any(part in lower for part in _TELLING)) or self._is_code(text):
            return
        bar = _BAR.match(text)
        if _ENDLESS.match(text) or (bar is not None and int(bar["now"]) < int(bar["total"])):
            return
        text = unwrapped(text)
        values = dictionary_of(text)
        if values is not None:
            yield from self._let_go()
            yield from self.dictionary(text, values)
            return
        text = _TOP.sub("top", text[:_LONGEST])
        text = _GROUPED.sub(lambda grouped: grouped[0].replace(",", ""), text) if "," in text else text
        if number > self._until:
            self._evaluates = ""
        if _EVALUATES.search(text):
            self._until = number + _NEAR
        row = None if self._table.open else self._box.row(text)
        row = self._table.row(text) if row is None else row
        row = placed_number(text, self._named) if row is None and self._named else row
        if row is not None:
            yield from self._let_go()
            yield from self.rows.records(row) if row else ()
            return
        row = self._splits.row(text)
        if row is not None:
            yield from self._placed(row) if row else ()
            return
        yield from self._printed(_OUTPUT.sub("batch ", text), bar)

    def _printed(self, text: str, bar: re.Match[str] | None) -> Iterator[Record | Skipped]:
        """Yield the records of the numbers beside names."""
        found = pairs(text, self.names)
        values: dict[str, object] = {column: pair.value for column, pair in found.items()}
        ahead = self._split_of_place(text, values)
        split = self._split_of_line(text) or ahead
        if bar is not None:
            size = int(bar["total"])
            split = split or ("test" if self._bar[0] == self._clock.epoch and self._bar[1] not in (0, size) else "")
            self._bar = self._bar if split else (self._clock.epoch, size)
        row = self._row(text, values, split)
        self._evaluates = "" if row else self._evaluates
        evaluating = bool(row) and not any(
            signal_of(column, self.names).startswith("train_") or (adversary(column) and not split) for column in row
        )
        epoch = self._clock.epoch
        self._clock.read(text, values, self.names, measured=bool(row), evaluating=evaluating)
        if self._clock.stepped:
            self._of_steps.update(row)
        elif not evaluating:
            row = self._of_epoch(row, values)
        batch = evaluating and _OF_BATCH.search(text)
        if batch:
            row = {c: found[o].average or v for (c, v), o in zip(row.items(), self._measured(values), strict=True)}
        key = ("bar", *self._bar) if bar else ("evaluation", split) if batch or _OF_SAME.match(text) else ()
        if self._waiting is not None and key != self._waiting.key and (row or self._clock.epoch != epoch):
            yield from self._let_go()  # prose in between ("val_loss improved, saving model") ends nothing
        if not row:
            return
        self._told.update(self.names.meaning(column).name for column in row)
        if key:
            waiting = self._waiting.row if self._waiting else {}
            self._waiting = _Waiting(key, {**waiting, **self._dated(row)}, self._clock.step)
        else:
            yield from self._placed(row)

    def _placed(self, row: dict[str, object]) -> Iterator[Record]:
        """Yield the records of a row that stands where the clock stands."""
        yield from self.rows.records(self._dated(row), step=self._clock.step)

    def _dated(self, row: dict[str, object]) -> dict[str, object]:
        """Return the row with its epoch, where no step says more."""
        known = self._clock.step is None and self._clock.epoch is not None
        return {**row, "epoch": self._clock.epoch} if known else row

    def _let_go(self) -> Iterator[Record | Skipped]:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            yield from self.rows.records(waiting.row, step=waiting.step)

    def _of_epoch(self, row: dict[str, object], values: Mapping[str, object]) -> dict[str, object]:
        """Return the row of a line that names its epoch and no step: what lines of steps have, too, is its mean there.

        It gets a name of its own: between the values of single steps a mean over all of them looks like a jump.
        """
        if not any(self.names.meaning(column).axis is Axis.EPOCH for column in values):
            return row
        trained = {c for c in self._of_steps if self.names.meaning(c).name.startswith("train_")}
        return {f"epoch {column}" if column in trained else column: value for column, value in row.items()}

    def _is_code(self, text: str) -> bool:
        """Tell whether a line is of a program: some logs begin with their script's source."""
        if _CODE.match(text):
            self._code = True
            return True
        return self._code and _ASSIGNED.search(text) is not None

    def _split_of_line(self, text: str) -> str:
        """Return the split that the line names or that one before has announced; "" where none was."""
        named = _SPLIT.search(text)
        announced, self._announced = self._announced, ""
        if named is not None:
            split = _SPLITS.get(named["split"].lower(), "validation")
            self._announced = split if _ANNOUNCED.match(text) else ""
            self._split = split
            return split
        return self._split if _OF_SAME.match(text) else announced

    def _split_of_place(self, text: str, values: Mapping[str, object]) -> str:
        """Return the split that a line has announced for the next numbers, where nothing says that training went on."""
        if evaluates := _EVALUATES.search(text):
            words = {word.lower() for word in _SPLIT.findall(evaluates[0])}
            self._evaluates = "test" if words & _SPLITS.keys() else "validation"
        elif _TRAINS.search(text):
            self._evaluates = ""
        here = {Axis.EPOCH: self._clock.epoch, Axis.STEP: self._clock.step}
        places = [(self.names.meaning(column).axis, as_number(value)) for column, value in values.items()]
        moved = "[" in text or any(axis in here and here[axis] != number for axis, number in places if axis)
        return "" if moved else self._evaluates

    def _measured(self, values: Mapping[str, object]) -> dict[str, Meaning]:
        meanings = {
            column: self.names.meaning(column) for column, value in values.items() if as_number(value) is not None
        }
        return {
            column: meaning
            for column, meaning in meanings.items()
            if meaning.axis is None
            and not (meaning.name == "learning_rate" and _ROUNDED.fullmatch(str(values[column]).strip()))
        }

    def _before_split(self, text: str) -> frozenset[str]:
        """Return the names before the line's split where that word is of a number: "Loss: 0.5 | Val Acc: 0.7"."""
        named = _SPLIT.search(text)
        if named is None or not _OWN_NUMBER.match(text, named.end()):
            return frozenset()
        return frozenset(pairs(text[: named.start()], self.names))

    def _row(self, text: str, values: Mapping[str, object], split: str) -> dict[str, object]:
        """Return the signals on the line; names without a split get that of the line, where it is no training line."""
        measured = self._measured(values)
        if not any(signal_of(c, self.names).endswith(("_loss", "_accuracy")) or adversary(c) for c in measured):
            return {}
        said = any(m.name.startswith("train_") and not m.guessed for m in measured.values())
        if said or not split:
            return {column: values[column] for column in measured}
        before = self._before_split(text)
        return {
            f"{split} {column}" if meaning.guessed and column not in before else column: values[column]
            for column, meaning in measured.items()
        }
