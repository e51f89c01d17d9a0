"""The numbers on a line of text that stand beside a name which means something."""

from __future__ import annotations

import re
from typing import NamedTuple

from trainhealth.readers.names import Axis, Names
from trainhealth.readers.rows import as_number
from trainhealth.signals import SIGNALS

_NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|NaN|NAN|inf|Inf|infinity|Infinity)"
_WORD = r"[A-Za-z_][\w/@.%-]*"
_PAIR = re.compile(
    rf"(?P<key>{_WORD}(?: {_WORD}){{0,3}})(?P<joint>\s*(?:\([^()]*\))?\s*[:=]\s*|\s+\(?|\s+is\s+)"
    rf"\[?(?P<value>{_NUMBER})(?P<percent>\s?%)?(?:\s*(?:/|of|\]\[)\s*(?P<total>\d+))?(?!\w|:\d)"
    rf"(?:\s*\(\s*(?P<average>{_NUMBER})\s*\))?"
)
# "Accuracy of the network on the 10000 test images: 55 %"
_OF = re.compile(rf"\b(?P<key>accuracy) of [^:]{{0,80}}:\s*(?P<value>{_NUMBER})(?P<percent>\s?%)?", re.I)
_PAST = frozenset(("best", "min", "max", "minimum", "maximum", "lowest", "highest", "previous", "prev", "target"))
_OTHERS = re.compile(  # a word that makes the loss behind it another one
    r"d|g|gen|disc|discriminator|generator|adversarial|adv|policy|value|critic|actor|aux|auxiliary|kl|box|cls|obj"
    r"|perceptual|content|style|reconstruction|recon"
)
_BARE = {"train": "train loss", "val": "val loss", "valid": "valid loss", "test": "test loss"}


class Pair(NamedTuple):
    """A number beside its name, and its running mean where one stands behind it in parentheses."""

    value: str
    average: str | None = None


def pairs(text: str, names: Names) -> dict[str, Pair]:
    """Return the names on the line that mean something, with their numbers; of two alike the first.

    >>> pairs("Epoch 3: Loss 2.31 (2.40) best val acc 41.2", Names())
    {'Epoch': Pair(value='3', average=None), 'Loss': Pair(value='2.31', average='2.40')}
    """
    found: dict[str, Pair] = {}
    bare: dict[str, Pair] = {}
    for match in [*_PAIR.finditer(text), *_OF.finditer(text)]:
        column = _column(match["key"], names)
        pair = _pair(match)
        if column is None:
            last = match["key"].split(" ")[-1].lower()
            if last in _BARE:
                bare.setdefault(_BARE[last], pair)
            continue
        if names.meaning(column).name.endswith("accuracy") and (share := _share(match)):
            pair = Pair(share)
        found.setdefault(f"{column} %" if match["percent"] else column, pair)
    if len(bare) > 1 and not any(names.meaning(column).name in SIGNALS for column in found):
        found |= bare  # "iter 200: train 3.41 val 3.52"
    return found


def _pair(match: re.Match[str]) -> Pair:
    groups = match.groupdict()
    return Pair(f"{match['value']}%" if match["percent"] else match["value"], groups.get("average"))


def _share(match: re.Match[str]) -> str | None:
    """Return "9839/10000" as the fraction that it is; None where the match is no such thing."""
    right, total = as_number(match["value"]), as_number(match.groupdict().get("total"))
    return repr(right / total) if right is not None and total and 0 <= right <= total else None


def _column(key: str, names: Names) -> str | None:
    """Return the longest end of `key` that means a signal or an axis: the words before it are prose."""
    words = key.removesuffix(" is").split(" ")
    for begin in range(len(words)):
        column = " ".join(words[begin:])
        meaning = names.meaning(column)
        if meaning.axis in (Axis.STEP, Axis.EPOCH):
            return column
        if meaning.name in SIGNALS:
            before = [word.lower() for word in words[:begin]]
            return None if _PAST.intersection(before) or (before and _OTHERS.fullmatch(before[-1])) else column
    return None
