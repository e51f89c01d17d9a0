"""What a foreign log's column means: its name -> a signal, by a table of words that is shown to the user.

A name is cut into words. One word may say the split (``val``), one the quantity (``loss``); words that say nothing
(``epoch``, ``avg``) are passed over. Any other word makes the column something of its own (``val_box_loss`` is a part
of a loss, ``top5`` another accuracy), which is kept under its own name and read by no rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from trainhealth.column_words import cut
from trainhealth.errors import UsageError
from trainhealth.signals import SIGNALS, Scope

UNKNOWN = "no signal is called so"
AN_AXIS = "an axis"


class Axis(Enum):
    """A column that says where a row stands, not what was measured there."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column was taken for, and why: `name` is a signal, or the column's own name where no signal fits."""

    column: str
    name: str
    because: str
    axis: Axis | None = None
    percent: bool = False  # its name says that its values are per cent
    preference: int = 0  # of several columns that mean the same signal the one with the lowest is taken
    guessed: bool = False  # its name does not say of which split it is


_SPLITS = {
    "train": "train", "training": "train", "tr": "train", "trn": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "validate": "validation",
    "eval": "validation", "evaluation": "validation", "dev": "validation", "vl": "validation", "holdout": "validation",
    "vali": "validation",
    "test": "test", "testing": "test", "tst": "test",
}  # fmt: skip
_QUANTITIES = {
    "loss": "loss", "losses": "loss", "cost": "loss", "objective": "loss", "nll": "loss", "ce": "loss", "xent": "loss",
    "accuracy": "accuracy", "accuracies": "accuracy", "acc": "accuracy", "accs": "accuracy", "top1": "accuracy",
    "acc1": "accuracy", "prec1": "accuracy",
    "lr": "learning_rate", "lrs": "learning_rate", "learningrate": "learning_rate",
    "gnorm": "gradient_norm", "gradnorm": "gradient_norm",
}  # fmt: skip
_PHRASES = {
    ("metrics", "accuracy", "top1"): "validation_accuracy",  # Ultralytics: what stands below metrics/ is validation's
    ("learning", "rate"): "learning_rate", ("grad", "norm"): "gradient_norm", ("gradient", "norm"): "gradient_norm",
    ("top", "1"): "accuracy", ("sparse", "categorical", "accuracy"): "accuracy", ("acc", "top1"): "accuracy",
    ("categorical", "accuracy"): "accuracy", ("binary", "accuracy"): "accuracy", ("accuracy", "top1"): "accuracy",
    ("lr", "pg1"): "learning_rate", ("x", "lr1"): "learning_rate",  # Ultralytics: of the weights; biases have another
    ("cross", "entropy"): "loss", ("acc", "1"): "accuracy", ("accuracy", "1"): "accuracy", ("prec", "1"): "accuracy",
    ("trl",): "train_loss", ("tel",): "validation_loss",  # llm.c
    ("train", "obj"): "train_loss", ("valid", "obj"): "validation_loss", ("test", "obj"): "test_loss",  # DARTS
}  # fmt: skip
_EMPTY = {  # words that change nothing, and how much less a column with them is wanted than one without
    "total": 0, "mean": 1, "avg": 1, "average": 1, "epoch": 2, "step": 1, "metrics": 0, "metric": 0, "scalars": 0,
    "running": 3, "smooth": 3, "smoothed": 3, "batch": 3, "iter": 3, "lm": 0, "0": 0, "pg0": 1, "lr0": 0, "adam": 0,
    "adamw": 0, "sgd": 0, "optimizer": 0, "global": 0, "group0": 0, "set": 1, "dataset": 1, "phase": 0, "all": 0,
}  # fmt: skip
_OF_FILES = frozenset(("loss", "losses", "acc", "accs", "accuracy", "accuracies"))  # costs may be of anything
_VALIDATES = frozenset(("val", "valid", "validation", "eval", "evaluation"))  # "test.csv" may be of a test run
_SYNONYMS = frozenset(("nll", "ce", "xent", "entropy", "cost", "objective"))  # of a loss, which may stand beside it
_OF_SYNONYMS = 4  # how much less a column with one of them is wanted
_AXES = {
    Axis.STEP: (
        "step", "steps", "global_step", "globalstep", "trainer_global_step", "iter", "iters", "iteration", "iterations",
        "it", "update", "updates", "num_updates", "n_updates", "current_steps", "train_global_step",
    ),
    Axis.EPOCH: ("epoch", "epochs", "ep", "train_epoch", "epoch_num", "current_epoch", "num_epoch"),
    Axis.TIME: ("time", "timestamp", "wall_time", "walltime", "datetime", "date"),
}  # fmt: skip
_AXIS_OF = {name: axis for axis, names in _AXES.items() for name in names}
_WITHIN = frozenset(("step", "steps", "iter", "iters", "iteration", "iterations", "it"))  # may begin anew each epoch
_PARTS = frozenset(  # of a detector's loss, each logged with its weight, so that their sum is what is minimised
    ("box", "cls", "obj", "dfl", "seg", "sem", "pose", "kobj", "rle", "theta", "angle", "giou", "l1")
)
_REINFORCEMENT = re.compile(
    r"(?:^|[^a-z])(?:ep_?(?:rew|len)|episode|rew(?:ard)?(?:[^a-z]|$))"
    r"|ep(?:rew|len)mean|total[_ ]?timesteps|timestepssofar|policy_gradient_loss"
)
_SIDES = {
    "d": "discriminator", "disc": "discriminator", "discriminator": "discriminator", "critic": "discriminator",
    "g": "generator", "gen": "generator", "generator": "generator",
}  # fmt: skip
_OF_A_SIDE = frozenset(  # beside a side, what a loss of it is called; "gan" to "b" in pix2pix and CycleGAN
    ("loss", "losses", "err", "error", "cost", "gan", "real", "fake", "l1", "vgg", "feat", "a", "b")
)
_REMEMBERED = 10_000  # names whose meaning is kept: prose has endless ones
_MONITORED = re.compile(r"^lr-[A-Za-z]\w*(?:/pg1)?$")  # Lightning's monitor of rates: lr-<optimizer>


@dataclass(frozen=True)
class Names:
    """How columns are understood; `chosen` maps signals to the columns that the user named for them."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    _known: dict[tuple[str, str], Meaning] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for signal in self.chosen:
            known = [name for name, s in SIGNALS.items() if s.scope in (Scope.STEP, Scope.EVALUATION)]
            if signal not in (*known, *(axis.value for axis in Axis)):
                raise UsageError(
                    f"{signal!r} in the map of names is no signal", f"There are: {', '.join(known)}, step, epoch, time."
                )

    def meaning(self, column: str, split: str = "train") -> Meaning:
        """Return what `column` means; `split` is the one that its file or row belongs to, unless its name says more.

        >>> Names().meaning("val_acc").name, Names().meaning("Loss/train").name, Names().meaning("train/box_loss").name
        ('validation_accuracy', 'train_loss', 'train/box_loss')
        """
        known = self._known.get((column, split))
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[column, split] = self._meaning(column, split)
        return known

    def _meaning(self, column: str, split: str) -> Meaning:
        own = column.strip()
        for signal, chosen in self.chosen.items():
            if own == chosen:
                axis = next((axis for axis in Axis if axis.value == signal), None)
                return Meaning(column, signal, "as you mapped it", axis, preference=-1)
        words = words_of(own)
        spelled = "_".join(words)
        if spelled in _AXIS_OF:
            axis = _AXIS_OF[spelled]
            if axis.value in self.chosen:
                return Meaning(column, column, f"{axis.value} is mapped to another")
            return Meaning(column, column, AN_AXIS, axis, preference=int(spelled in _WITHIN))
        found = _understand(words, split)
        if found is None:
            side = adversary(own)
            return Meaning(column, column, f"a {side}'s loss, which need not fall" if side else UNKNOWN)
        if found[0] in self.chosen:
            return Meaning(column, column, f"{found[0]} is mapped to another")
        name, because, preference, guessed = found
        preference += _OF_SYNONYMS * (not _SYNONYMS.isdisjoint(words))
        percent = name.endswith("accuracy") and ("%" in own or "percent" in own.lower() or "pct" in own.lower())
        return Meaning(column, name, because, percent=percent, preference=preference, guessed=guessed)

    def part(self, column: str, split: str = "train") -> tuple[str, str] | None:
        """Return the loss that `column` is a part of, and which part; None where it is none.

        >>> Names().part("val/box_loss"), Names().part("train_loss"), Names().part("loss_gan")
        (('validation_loss', 'box'), None, None)
        """
        words = words_of(column)
        parts = [word for word in words if word in _PARTS]
        if column.strip() in self.chosen.values() or len(parts) != 1:
            return None
        found = _understand(tuple(word for word in words if word not in _PARTS), split)
        return (found[0], parts[0]) if found is not None and found[0].endswith("_loss") else None


def of_reinforcement(column: str) -> bool:
    """Tell whether only reinforcement learning logs such a column: rewards, lengths of episodes.

    >>> [of_reinforcement(name) for name in ("rollout/ep_rew_mean", "EpRewMean", "reward", "rewards/margins", "epoch")]
    [True, True, True, False, False]
    """
    return _REINFORCEMENT.search(column.lower()) is not None


def of_file(stem: str) -> tuple[str, str]:
    """Return what a file's name says of all that is in it: the split, and what a column is; "" where it says neither.

    >>> of_file("val_log"), of_file("train_loss_history"), of_file("train_val_loss"), of_file("test_run")
    (('validation', ''), ('', 'train loss'), ('', ''), ('', ''))
    """
    words = words_of(stem)
    splits = {_SPLITS[word]: word for word in words if word in _SPLITS}
    quantities = [word for word in words if word in _OF_FILES]
    if len(splits) > 1:
        return "", ""
    named = " ".join([*splits.values(), *quantities]) if len(quantities) == 1 else ""
    return "" if _VALIDATES.isdisjoint(words) else "validation", named


@lru_cache(_REMEMBERED)
def adversary(column: str) -> str:
    """Return whose loss a column is by its name, "generator" or "discriminator"; "" where it is neither's.

    >>> [adversary(name) for name in ("Loss_D", "g_loss", "errG", "G_GAN", "loss", "D")]
    ['discriminator', 'generator', 'generator', 'generator', '', '']
    """
    words = words_of(column)
    sides = {_SIDES[word] for word in words if word in _SIDES}
    others = [word for word in words if word not in _SIDES]
    named = bool(others) and all(word in _OF_A_SIDE or word in _SPLITS or word in _EMPTY for word in others)
    return sides.pop() if named and len(sides) == 1 and _OF_A_SIDE.intersection(others) else ""


def words_of(column: str) -> tuple[str, ...]:
    """Return the words of a name that may say what it means, in lower case."""
    words = [word for word in cut(_MONITORED.sub("lr", column)) if word not in ("percent", "pct")]
    return tuple(words[:-1] if len(words) > 1 and words[-1] == "value" else words)


def _understand(words: tuple[str, ...], split: str) -> tuple[str, str, int, bool] | None:
    """Return the signal, why, how gladly the column is taken, and whether its split is not said.

    None where a word is left that makes it another.
    """
    for phrase, quantity in _PHRASES.items():
        for at in range(len(words) - len(phrase) + 1):
            if words[at : at + len(phrase)] == phrase:
                return _named(quantity, (*words[:at], *words[at + len(phrase) :]), split)
    for at, word in enumerate(words):
        if word in _QUANTITIES:
            return _named(_QUANTITIES[word], (*words[:at], *words[at + 1 :]), split)
    return None


def _named(quantity: str, rest: tuple[str, ...], split: str) -> tuple[str, str, int, bool] | None:
    splits = [word for word in rest if word in _SPLITS]
    strange = [w for w in rest if w not in _SPLITS and w not in _EMPTY and _QUANTITIES.get(w) != quantity]
    if strange or len(splits) > 1:
        return None
    preference = sum(_EMPTY.get(word, 0) for word in rest)
    if quantity in SIGNALS:
        return quantity, "by its name", preference, False
    signal = f"{_SPLITS[splits[0]] if splits else split}_{quantity}"
    return signal, "by its name" if splits else f"by its name, of the {split} split", preference, not splits
