"""The words of a column's name: what readers, rules and searches know a quantity by."""

from __future__ import annotations

import re

# "netG_loss" -> net G_loss, "gLoss" -> g Loss, "top1Acc" -> top1 Acc; not within mAP, mIoU
_BEGINS = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Za-z0-9])(?=[A-Z][a-z]{2})")


def cut(column: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case: cut at punctuation, and where a capital begins another word.

    >>> cut("EpRewMean"), cut("val/macroF1"), cut("val_mAP@50")
    (('ep', 'rew', 'mean'), ('val', 'macro', 'f1'), ('val', 'map', '50'))
    """
    return tuple(re.findall(r"[a-z0-9]+", _BEGINS.sub("_", column).lower()))
