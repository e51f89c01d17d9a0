"""The five lectures that rules and recipes come from, as they are cited in full and in short."""

from __future__ import annotations

import re

PRACTICAL_ASPECTS = 'Lecture "Practical Aspects" (Yujiao Shi, ShanghaiTech, 2025)'
REGULARIZATION = 'Lecture "Regularization" (Yanwei Fu, Fudan University)'
TRAINING_NETWORKS = 'Lecture "Training Networks, Part 1" (Helwan University CS396, after Stanford CS231n)'
OPTIMIZING = 'Lecture "Optimizing Neural Networks" (Ranjay Krishna, 2025)'
UNDER_AND_OVERFITTING = 'Lecture "Underfitting and Overfitting, Regularization, Optimization" (Xiamen University)'

SHORT_NAMES = {
    "L16": PRACTICAL_ASPECTS,
    "Reg": REGULARIZATION,
    "Tr1": TRAINING_NETWORKS,
    "Opt": OPTIMIZING,
    "UO": UNDER_AND_OVERFITTING,
}
# what rules write after a short name to say which lecture it is, and the full title says again
_WORDS = (
    r"Practical Aspects|Regularization|Training Networks \(Part 1\)|Optimizing Neural Networks"
    r"|Understanding Optimization|Underfitting(?: and|,) Overfitting(?:, Regularization, Optimization)?"
)
_CITED = re.compile(rf"\b({'|'.join(SHORT_NAMES)})\b(?:,? (?:{_WORDS}))?")


def in_full(text: str) -> str:
    """Return a citation with the full titles of its lectures in place of their short names.

    >>> in_full("Tr1, Training Networks (Part 1): batch normalization")
    'Lecture "Training Networks, Part 1" (Helwan University CS396, after Stanford CS231n): batch normalization'
    """
    return _CITED.sub(lambda cited: SHORT_NAMES[cited[1]], text)


def named_in(text: str) -> dict[str, str]:
    """Return the lectures whose short names occur in a text, by short name.

    >>> list(named_in("below 1e-3 (Tr1, L16)"))
    ['L16', 'Tr1']
    """
    words = set(re.findall(r"\w+", text))
    return {short: title for short, title in SHORT_NAMES.items() if short in words}
