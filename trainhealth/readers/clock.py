"""Where in the run the lines of a log are: its epoch, and its step counted over all epochs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trainhealth.readers.names import Axis, Names
from trainhealth.readers.rows import as_number

COUNT = r"\d{1,15}(?!\d)"  # of steps or epochs; more digits are none, and Python refuses to read thousands of them
# "Epoch: [3][10/200]", "Epoch(train) [3][10/200]", "Epoch [1/5], Step [100/600]", "Train: 0 [  50/1251 (  4%)]"
_EPOCH_AND_STEP = re.compile(
    rf"\b(?:epoch|train)\s*(?:epoch)?\s*(?:\(\w+\))?\s*[:#]?\s*\[?\s*(?P<epoch>{COUNT})(?:\s*/\s*\d+)?\s*\]?[\s,:|-]*"
    rf"\[?(?:(?:iter|iteration|step|batch)\s*:?\s*)?(?:(?<=\[)|\[)\s*(?P<step>{COUNT})(?!\s?%|\.\d)\s*(?:/\s*(?P<total>{COUNT}))?",
    re.I,
)
# "[1,  2000] loss: 2.187", "[0/5][50/1583] Loss_D: 0.6"
_PAIRED = re.compile(
    rf"^\s*\[\s*(?P<epoch>{COUNT})\s*(?:,|/\s*\d+\s*\]\s*\[)\s*(?P<step>{COUNT})\s*(?:/\s*(?P<total>{COUNT})\s*)?\]"
)
_SHORT = re.compile(rf"^s:(?P<step>{COUNT})\s")  # llm.c
_BRACKETS = re.compile(rf"\[\s*(?P<now>{COUNT})\s*/\s*(?P<total>{COUNT})\s*(?:\([\d. ]+%\)\s*)?\]")
_OF_EPOCH = re.compile(rf"\bepochs?\s*[:#]?\s*\[\s*{COUNT}\s*/\s*{COUNT}\s*\]", re.I)  # "Epoch [1/100] - Loss: 0.5"
# "i=34/530", "batch 23/42", "batch 100", "batch_id: 500"; "batch: 32" may be its size
_BATCH = re.compile(
    rf"\b(?:(?:batch|i)\s*[:=]?\s*(?={COUNT}\s*/\s*\d)|batch[ #]+(?=\d)|batch_?(?:id|idx|index|num)\s*[:=]?\s*)"
    rf"(?P<step>{COUNT})(?!\s?%|\.\d)(?:\s*/\s*(?P<total>{COUNT}))?",
    re.I,
)
_BAR = re.compile(rf"\d%\|[^|]*\|\s*(?P<now>{COUNT})/(?P<total>{COUNT})\s*\[")  # tqdm's
_SEPARATOR = re.compile(rf"^\s*[-=*#]{{3,}}\s*(?P<epoch>{COUNT})\s*[-=*#]{{3,}}\s*$")
# of lines with the numbers below: "step 100", "2025-12-12 16:13 INFO [step=1/1000,epoch=0]"
_HEADING = re.compile(r"^\W*(?:step|iter|iteration)\b|^.{0,150}\[(?:step|iter|iteration)=\d", re.I)
_OF_TOTAL = re.compile(rf"(?<![\w.])(?P<now>{COUNT})\s*/\s*(?P<total>{COUNT})")
LARGEST = 2**53


class Clock:
    """Counts steps on where they begin anew with every epoch."""

    def __init__(self) -> None:
        self.epoch: int | None = None
        self.step: int | None = None
        self.stepped = False  # the last line has said a step
        self._offset = 0  # steps of the epochs before
        self._begins: dict[int, int] = {}  # epoch -> its offset
        self._within = -1  # the last step as it was written
        self._total = 0  # steps an epoch, where it was written
        self._at = -1  # the epoch of the last step

    def read(self, text: str, values: Mapping[str, object], names: Names, *, measured: bool, evaluating: bool) -> None:
        """Take the epoch and the step from a line that has them.

        `measured`: there are losses on the line. `evaluating`: they are of an evaluation, whose batches are no steps.
        """
        self.stepped = False
        if both := (_EPOCH_AND_STEP.search(text) or _PAIRED.match(text)):
            self.epoch = int(both["epoch"])
            if not evaluating:
                total = int(both.groupdict().get("total") or 0)
                self.set_step(int(both["step"]), total, inner=total > 0)
            return
        if alone := _SEPARATOR.match(text):
            self.epoch = int(alone["epoch"])
        if short := _SHORT.match(text):
            self.set_step(int(short["step"]))
        bracket, bar = _BRACKETS.search(_OF_EPOCH.sub("", text)), _BAR.search(text)
        axes = {names.meaning(column).axis for column in values}
        if measured and bracket is not None and Axis.STEP in axes and Axis.EPOCH not in axes:
            self.epoch = int(bracket["now"])  # "[1/30] iter: 100/278"
        self._named(text, values, names, measured)
        if not measured or evaluating:
            return
        batch = None if Axis.STEP in axes else _BATCH.search(text)
        if batch is not None:
            self.set_step(int(batch["step"]), int(batch["total"] or 0))
        elif bar is not None and Axis.STEP not in axes:
            self.set_step(int(bar["now"]), int(bar["total"]))
        elif bracket is not None and Axis.STEP not in axes and self.epoch is not None:
            self.set_step(int(bracket["now"]), int(bracket["total"]))
        elif bracket is not None and Axis.EPOCH not in axes:
            self.epoch = int(bracket["now"])

    def _named(self, text: str, values: Mapping[str, object], names: Names, measured: bool) -> None:
        """Take what stands behind the words "epoch" and "step"."""
        steps: list[tuple[int, int]] = []
        totals: dict[str, str] = {}
        for found in _OF_TOTAL.finditer(text) if "/" in text else ():
            totals.setdefault(found["now"], found["total"])
        for column, value in values.items():
            axis, number = names.meaning(column).axis, as_number(value)
            if axis is None or number is None or number != number or abs(number) > LARGEST or number != int(number):
                continue
            total = totals.get(str(value).strip())
            setting = column.lower().endswith("s") and not measured and total is None  # "epochs: 30" among settings
            if axis is Axis.EPOCH and not setting:
                self.epoch = int(number)
            elif axis is Axis.STEP and (measured or _HEADING.match(text)):
                steps.append((int(number), int(total) if total else 0))
        if steps:
            self.set_step(*max(steps))  # "batch 3 of iteration 250": the one that counts over all

    def set_step(self, step: int, total: int = 0, *, inner: bool = False) -> None:
        """Take a step as the log counts it, of `total` where it says so; `inner`: within its epoch, for certain."""
        epoch = -1 if self.epoch is None else self.epoch
        if epoch > self._at >= 0 and (inner or step <= self._within):
            self._offset += max(total, self._within + (step == 0))
        elif epoch < self._at:
            self._offset = self._begins.get(epoch, 0)  # begun again: the rows tell whether as another run
        elif epoch < 0 and step <= self._within == self._total > 0:
            self._offset += self._total  # a progress bar that was full begins anew
        self._begins.setdefault(epoch, self._offset)
        self._within, self._at, self._total = step, epoch, total
        self.step = self._offset + step
        self.stepped = True
