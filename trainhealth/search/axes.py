"""The scale of each setting: logarithmic or linear, or words without order; values to coordinates and back."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trainhealth.search.sampling import linear_evidence
from trainhealth.search.trials import Space, Trials, Value
from trainhealth.series import FloatArray

_DECADE = 10.0
_DRAWN = -2.0  # natural log of the likelihood ratio, from which on values look drawn log-uniformly
_MISSING = -1.0  # code of "the trial had no such setting"

# settings that act by their factor, not by their difference: the lectures draw them from 10**uniform(low, high)
_MULTIPLICATIVE = re.compile(
    r"(^|_)(lr|learningrate|learning_rate|rate|step_size|wd|weight_decay|weightdecay|decay|reg|regularization|l1|l2|"
    r"alpha|lambda|lam|eps|epsilon|temperature|tau|c|gamma|penalty|momentum_gap)\d*(_|$)"
)
_NOT_MULTIPLICATIVE = re.compile(
    r"(^|_)(dropout|drop|momentum|beta\d?|schedule|decay_(rate|steps|epochs)|lr_decay)(_|$)"
)
_SHARES = re.compile(
    r"(^|_)(dropout|drop|momentum|beta\d?|smoothing|mixup|p|prob|probability|ratio|fraction|share)\d*(_|$)"
)


@dataclass(frozen=True)
class Axis:
    """One setting's scale.

    `low` and `high` are the bounds of what was tried (the declared ones, where the table has them). A coordinate is 0
    at `low` and 1 at `high`; a word's is its number among the words, and that of a missing value is -1.
    """

    name: str
    kind: Literal["log", "linear", "words"]
    low: float = 0.0
    high: float = 1.0
    whole: bool = False  # only whole numbers were tried
    words: tuple[str, ...] = ()
    zero: bool = False  # a logarithmic one on which 0 was tried, too: it stands a decade below the smallest value
    declared: bool = False  # the bounds are those that the values were drawn from

    def codes(self, column: Sequence[Value]) -> FloatArray:
        """Return the coordinates of values, float64 [n]."""
        return np.array([self._code(value) for value in column], np.float64)

    def _code(self, value: Value) -> float:
        if value is None:
            return _MISSING
        if self.kind == "words":
            return float(self.words.index(_word(value)))
        number = float(value)
        if self.kind == "log":
            return (math.log(number if number > 0 else self.low) - math.log(self.low)) / self._width
        return (number - self.low) / self._width

    def value(self, code: float) -> float | str:
        """Return the value at a coordinate, which may lie outside of 0 to 1."""
        if self.kind == "words":
            return self.words[int(code)]
        if self.kind == "log":
            if self.zero and code * self._width < math.log(_DECADE) / 2:
                return 0.0
            number = math.exp(math.log(self.low) + code * self._width)
        else:
            number = self.low + code * self._width
        return float(max(round(number), 0 if self.low >= 0 else round(number))) if self.whole else number

    def distances(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return how far apart coordinates are, float64 [n, m]: 1 for the whole range, and for different words.

        A missing number stands in the middle: that it is missing is told by the setting on which it depends.
        """
        if self.kind == "words":
            return np.asarray(first[:, None] != second[None, :], np.float64)
        one, other = (np.where(codes == _MISSING, 0.5, codes) for codes in (first, second))
        return np.asarray(np.abs(one[:, None] - other[None, :]), np.float64)

    @property
    def _width(self) -> float:
        return math.log(self.high) - math.log(self.low) if self.kind == "log" else self.high - self.low

    @property
    def natural(self) -> tuple[float, float]:
        """The bounds that no value of such a setting passes: a dropout lies between 0 and 1."""
        share = self.kind == "linear" and self.low >= 0 and self.high <= 1 and bool(_SHARES.search(_spelled(self.name)))
        low = (1.0 if self.low >= 1 else 0.0) if self.whole and self.low >= 0 else 0.0 if self.low >= 0 else -math.inf
        return low, 1.0 if share else math.inf


def axis_of(trials: Trials, name: str) -> Axis:
    """Return the scale on which a setting's values are best compared."""
    numbers, space = trials.numbers(name), trials.spaces.get(name, Space())
    if numbers is None:
        words = sorted({_word(value) for value in trials.column(name) if value is not None})
        return Axis(name, "words", words=tuple(words))
    known = numbers[np.isfinite(numbers)]
    declared = space.low is not None and space.high is not None
    low = min(space.low, float(known.min())) if space.low is not None else float(known.min())
    high = max(space.high, float(known.max())) if space.high is not None else float(known.max())
    whole = bool(np.all(known == np.round(known)))
    positive = known[known > 0]
    zero = bool(len(positive) and low == 0 and np.any(known == 0))
    if zero:
        low = float(positive.min())
    if len(positive) and low >= 0 and high > low and _logarithmic(name, positive, space, whole):
        if zero:
            return Axis(name, "log", low / _DECADE, high, whole, zero=True, declared=declared)
        return Axis(name, "log", low or float(positive.min()), high, whole, declared=declared)
    return Axis(name, "linear", 0.0 if zero else low, high, whole, declared=declared)


def _logarithmic(name: str, positive: FloatArray, space: Space, whole: bool) -> bool:
    ratio = float(positive.max()) / float(positive.min())  # infinite for what no float holds
    if space.log is not None and (space.log or not multiplicative(name)):
        return space.log
    if multiplicative(name):
        return ratio >= 3
    powers = whole and ratio >= 4 and bool(np.all(np.log2(positive) % 1 == 0))
    return powers or (ratio >= _DECADE and linear_evidence(positive) <= _DRAWN)


def multiplicative(name: str) -> bool:
    """Tell whether a setting acts by its factor, by its name.

    >>> [multiplicative(name) for name in ("lr", "optimizer.weight_decay", "learningRate", "dropout", "layers")]
    [True, True, True, False, False]
    """
    spelled = _spelled(name)
    return bool(_MULTIPLICATIVE.search(spelled)) and not _NOT_MULTIPLICATIVE.search(spelled)


def _spelled(name: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", apart.lower())


def _word(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"
