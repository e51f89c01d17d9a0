"""The numbers on a line of text that stand beside a name which means something."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trainhealth.error_losses import error_of
from trainhealth.readers.names import Axis, Meaning, Names, adversary
from trainhealth.readers.rows import as_number
from trainhealth.signals import SIGNALS

# the possessive quantifiers and the bounds keep the time linear, whatever a line holds
_NONE = r"nan|NaN|NAN|inf|Inf|infinity|Infinity"
_NUMBER = rf"[-+]?(?:\d[\d_]*+\.?\d*+(?:[eE][-+]?\d+)?|\.\d++(?:[eE][-+]?\d+)?|{_NONE})"
_WORD = rf"(?!(?:{_NONE})\b)[A-Za-z_][\w/@.%-]{{0,100}}+"
_PAIR = re.compile(
    rf"(?<![A-Za-z_])(?P<key>{_WORD}(?: {{1,2}}{_WORD}){{0,3}})(?P<joint>\s*(?:\([^()]*\))?\s*[:=]\s*|\s+\(?|\s+is\s+)"
    rf"\[?(?P<value>{_NUMBER})(?!\s?%\|)(?P<percent>\s?%)?(?:\s*(?:/|of|\]\[)\s*(?P<total>\d+))?(?!\w|:\d)"
    rf"(?:\s*\(\s*(?P<average>{_NUMBER})\s*\))?"
)
# "Accuracy of the network on the 10000 test images: 55 %", "Accuracy on Test-Set: 71.38%"
_OF = re.compile(rf"\b(?P<key>accuracy) (?:of|on) [^:]{{0,80}}:\s*(?P<value>{_NUMBER})(?P<percent>\s?%)?", re.I)
# "Cost after iteration 100: 0.69", "loss of iteration 3 : 1.6", "Loss at epoch 0 and iteration 500 is 0.21"
_PLACE = r"(?:step|iter|iteration|epoch|batch) ?\[?\d+(?:\s*/\s*\d+)?\]?"
_AT = re.compile(
    rf"(?<![A-Za-z_])(?P<key>{_WORD}(?: {_WORD}){{0,2}}) (?:of|at|after|in|for) {_PLACE}(?:(?:,| and)? {_PLACE})?"
    rf"(?:\s*[:=]\s*|\s?is\s?:?\s?)(?P<value>{_NUMBER})(?P<percent>\s?%)?(?!\w)",
    re.I,
)
_BEST = re.compile(r"\b(?:best|highest|lowest)\s?[:(\[-]\s?$", re.I)  # "[Best : Accuracy=97.8]"
_DESCRIBED = re.compile(r"\s+(?:epochs?|steps?|iterations?|batch(?:es)?)\s+[a-z]", re.I)  # "avg_loss : 1 epoch mean"
_ERROR = re.compile(r"mse|mae|bce", re.I)  # looked for first: most names have none
_PAST = frozenset(("best", "min", "max", "minimum", "maximum", "lowest", "highest", "previous", "prev", "target"))
_OTHERS = re.compile(  # a word that makes the loss behind it another one
    r"d|g|gen|disc|discriminator|generator|adversarial|adv|policy|value|critic|actor|aux|auxiliary|kl|box|cls|obj"
    r"|perceptual|content|style|reconstruction|recon|gate|router|balance|balancing|kld|commitment|codebook|top\d+"
    r"|time"  # "time cost: 325.3"
)
_WHOLE = frozenset(("the", "current", "overall", "combined", "final"))  # words that leave a loss what it is
_INITIAL = re.compile(r"(?P<split>[tv])_(?P<rest>[a-z]+)\.?", re.I)
_OF_INITIAL = {"t": "train", "v": "val"}
_PLACED = re.compile(r"^\W{0,3}(?:epoch|step|iter|iteration|episode)\s?[:#=]?\s?\[?\d", re.I)  # a line that says where
_OFTEN = 3  # lines: a curve, not a setting
_BARE = {"train": "train loss", "val": "val loss", "valid": "valid loss", "test": "test loss"}


class Pair(NamedTuple):
    """A number beside its name, and its running mean where one stands behind it in parentheses."""

    value: str
    average: str | None = None


def pairs(text: str, names: Names) -> dict[str, Pair]:
    """Return the names on the line that mean something, with their numbers; of two alike the first.

    Where a line has several losses that a word tells apart ("cycle loss", "style loss"), they are terms: none of them
    is the loss, unless one of them stands there without such a word. Those of a generator and a discriminator keep
    their names, and an accuracy beside them is the discriminator's.

    >>> pairs("Epoch 3: Loss 2.31 (2.40) best val acc 41.2", Names())
    {'Epoch': Pair(value='3', average=None), 'Loss': Pair(value='2.31', average='2.40')}
    """
    found: dict[str, Pair] = {}
    bare: dict[str, Pair] = {}
    matches = [(match, *_column(key, names)) for match, key in _spelled_out(list(_matches(text)))]
    terms = _terms([(column, before) for _, column, before in matches if column is not None], names)
    for match, column, before in matches:
        pair = _pair(match)
        if column is not None and (column, before) in terms:
            continue
        if column is None or _is_another(before) or _is_said(text, match, names.meaning(column)):
            last = match["key"].split(" ")[-1].lower()
            if last in _BARE and not match["value"].isdigit():  # "train: 50000, val: 10000" are sizes
                bare.setdefault(_BARE[last], pair)
            continue
        if names.meaning(column).name.endswith("accuracy") and (share := _share(match)):
            pair = Pair(share)
        found.setdefault(f"{column} %" if match["percent"] else column, pair)
    if sides := _sides(match for match, _, _ in matches):
        return {c: pair for c, pair in found.items() if not names.meaning(c).name.endswith("accuracy")} | sides
    if len(bare) > 1 and not any(names.meaning(column).name in SIGNALS for column in found):
        found |= bare  # "iter 200: train 3.41 val 3.52"
    return found


def repeated_names(text: str) -> list[str]:
    """Return the names that stand before a number that is not whole, three times or more, the most frequent first.

    They are what a log holds that nothing else is known of. Where none has ":" or "=", those on lines that begin with a
    place count: elsewhere a word before a number is one of a sentence.

    >>> repeated_names("Rec=0.2, KL=149.8, lr: 1\\n" * 3), repeated_names("Episode 20 length 43.5\\n" * 3)
    (['Rec', 'KL'], ['length'])
    """
    joined = (match for match in _PAIR.finditer(text) if match["joint"].strip(" ()") in (":", "="))
    placed = (match for line in text.splitlines() if _PLACED.match(line) for match in _PAIR.finditer(line))
    for matches in (joined, placed):
        counts = Counter(match["key"].replace("  ", " ") for match in matches if not match["value"].isdigit())
        if names := [name for name, count in counts.most_common() if count >= _OFTEN]:
            return names
    return []


def _matches(text: str) -> Iterator[re.Match[str]]:
    """Yield the names on the line with their numbers, in the order of the forms."""
    yield from _PAIR.finditer(text)
    yield from _OF.finditer(text)
    yield from _AT.finditer(text)


def _spelled_out(matches: list[re.Match[str]]) -> Iterator[tuple[re.Match[str], str]]:
    """Yield the matches with their keys; "T_Loss 0.4 | V_Loss 0.5" are training's and validation's."""
    initials = {key: found for match in matches if (found := _INITIAL.fullmatch(key := match["key"]))}
    both = Counter({(found["split"].lower(), found["rest"].lower()) for found in initials.values()})
    for match in matches:
        key = match["key"]
        if (found := initials.get(key)) and both["t", found["rest"].lower()] and both["v", found["rest"].lower()]:
            key = f"{_OF_INITIAL[found['split'].lower()]} {found['rest']}"
        yield match, key.replace("  ", " ")


def _sides(matches: Iterable[re.Match[str]]) -> dict[str, Pair]:
    """Return the losses of a generator and of a discriminator where the line has both."""
    found: dict[str, Pair] = {}
    for match in matches:
        words = match["key"].split(" ")
        column = next((name for name in (words[-1], " ".join(words[-2:])) if adversary(name)), None)
        if column is not None:
            found.setdefault(column, _pair(match))
    return found if len({adversary(column) for column in found}) > 1 else {}


def _pair(match: re.Match[str]) -> Pair:
    groups = match.groupdict()
    return Pair(f"{match['value']}%" if match["percent"] else match["value"], groups.get("average"))


def _share(match: re.Match[str]) -> str | None:
    """Return "9839/10000" as the fraction that it is; None where the match is no such thing."""
    right, total = as_number(match["value"]), as_number(match.groupdict().get("total"))
    return repr(right / total) if right is not None and total and 0 <= right <= total else None


def _column(key: str, names: Names) -> tuple[str | None, tuple[str, ...]]:
    """Return the longest end of `key` that means a signal or an axis, and the words before it: they are prose."""
    words = key.removesuffix(" is").split(" ")
    for begin in range(len(words)):
        column = " ".join(words[begin:])
        meaning = names.meaning(column)
        if meaning.axis in (Axis.STEP, Axis.EPOCH):
            return (None if _PAST.intersection(key.lower().split(" ")) else column), ()  # "best epoch: 37"
        if meaning.name in SIGNALS or (_ERROR.search(column) and error_of(column, names) is not None):
            return column, tuple(word.lower() for word in words[:begin])
    return None, ()


def _is_said(text: str, match: re.Match[str], meaning: Meaning) -> bool:
    """Tell whether a number is nothing that was measured there: the best one so far, or one of an explanation."""
    before = text[max(match.start() - 12, 0) : match.start()]
    explained = meaning.axis is None and match["value"].isdigit() and _DESCRIBED.match(text, match.end()) is not None
    return explained or _BEST.search(before) is not None


def _is_another(before: tuple[str, ...]) -> bool:
    """Tell whether the words before a name make it something of the past, or of another model."""
    return bool(_PAST.intersection(before)) or (bool(before) and _OTHERS.fullmatch(before[-1]) is not None)


def _terms(named: list[tuple[str, tuple[str, ...]]], names: Names) -> set[tuple[str, tuple[str, ...]]]:
    """Return those losses of a line, with the words before them, that are terms of a loss."""
    words: dict[str, set[tuple[str, tuple[str, ...]]]] = {}  # meaning -> what stands there for it
    for column, before in named:
        meaning = names.meaning(column).name
        if meaning.endswith("_loss") and not _PAST.intersection(before):
            words.setdefault(meaning, set()).add((column, before))
    told_apart = {
        meaning: {one for one in ones if one[1] and one[1][-1] not in _WHOLE} for meaning, ones in words.items()
    }
    return {one for meaning, ones in told_apart.items() if len(words[meaning]) > 1 for one in ones}
