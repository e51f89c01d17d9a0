"""What a column's name means: a table of names as people really write them."""

from __future__ import annotations

import pytest

from trainhealth.errors import UsageError
from trainhealth.readers.names import Axis, Names, adversary, of_reinforcement


@pytest.mark.parametrize(
    ("column", "signal"),
    [
        ("loss", "train_loss"),
        ("train_loss", "train_loss"),
        ("Loss/train", "train_loss"),
        ("train/loss", "train_loss"),
        ("trainLoss", "train_loss"),
        ("training loss", "train_loss"),
        ("Train/Mean_Loss", "train_loss"),
        ("train_loss_step", "train_loss"),
        ("total_loss", "train_loss"),
        ("lm loss", "train_loss"),
        ("all_loss", "train_loss"),
        ("Training Phase Loss", "train_loss"),
        ("loss value", "train_loss"),
        ("trl", "train_loss"),
        ("val_loss", "validation_loss"),
        ("eval_loss", "validation_loss"),
        ("Validation Loss", "validation_loss"),
        ("valid_loss", "validation_loss"),
        ("dev/loss", "validation_loss"),
        ("val_losses", "validation_loss"),
        ("tel", "validation_loss"),
        ("test loss", "test_loss"),
        ("Test set accuracy", "test_accuracy"),
        ("train/CrossEntropyLoss", "train_loss"),
        ("val_cross_entropy", "validation_loss"),
        ("vali_loss", "validation_loss"),
        ("train_obj", "train_loss"),
        ("valid_obj", "validation_loss"),
        ("accuracy", "train_accuracy"),
        ("train_accs", "train_accuracy"),
        ("val_acc", "validation_accuracy"),
        ("val_acc@1", "validation_accuracy"),
        ("eval_top1", "validation_accuracy"),
        ("accuracy/top1", "train_accuracy"),
        ("metrics/accuracy_top1", "validation_accuracy"),
        ("val_sparse_categorical_accuracy", "validation_accuracy"),
        ("top1_acc", "train_accuracy"),
        ("lr", "learning_rate"),
        ("Learning Rate", "learning_rate"),
        ("train/learning_rate", "learning_rate"),
        ("lr-AdamW", "learning_rate"),
        ("lr-RMSprop/pg1", "learning_rate"),
        ("lr/pg1", "learning_rate"),
        ("x/lr1", "learning_rate"),
        ("grad_norm", "gradient_norm"),
        ("train/grad_norm", "gradient_norm"),
        ("gnorm", "gradient_norm"),
    ],
)
def test_names_that_mean_a_signal(column: str, signal: str) -> None:
    """Whatever the spelling and the order of their words."""
    assert Names().meaning(column).name == signal


@pytest.mark.parametrize(
    "column",
    [
        "val_box_loss",
        "loss_cls",
        "train/obj_loss",
        "eval_top5",
        "value_loss",
        "policy_gradient_loss",
        "eval_T005_accuracy",
        "best_val_loss",
        "eval_runtime",
        "loss_scale_factor",
        "train_val_loss",
        "perplexity",
        "x/lr0",
        "lr-Adam-momentum",
        "",
    ],
)
def test_names_that_mean_something_of_their_own(column: str) -> None:
    """A part of a loss, another accuracy, a reinforcement learner's loss: no signal."""
    assert Names().meaning(column).name == column


@pytest.mark.parametrize(
    ("column", "axis"),
    [
        ("step", Axis.STEP),
        ("iteration", Axis.STEP),
        ("global_step", Axis.STEP),
        ("trainer/global_step", Axis.STEP),
        ("num_updates", Axis.STEP),
        ("Update", Axis.STEP),
        ("current_steps", Axis.STEP),
        ("Epoch", Axis.EPOCH),
        ("train/epoch", Axis.EPOCH),
        ("timestamp", Axis.TIME),
        ("epoch_time", None),
        ("total_steps", None),
    ],
)
def test_names_of_axes(column: str, axis: Axis | None) -> None:
    """They say where a row stands."""
    assert Names().meaning(column).axis is axis


def test_the_split_of_the_file_holds_where_the_name_says_none() -> None:
    """And the meaning says that it is a guess."""
    assert Names().meaning("loss", "validation").name == "validation_loss"
    assert Names().meaning("train_loss", "validation").name == "train_loss"
    assert Names().meaning("loss").guessed
    assert not Names().meaning("train_loss").guessed


def test_what_the_user_maps_goes_before_all_tables() -> None:
    """And no other column is taken for that signal."""
    names = Names({"train_loss": "my_loss", "step": "batches"})
    assert names.meaning("my_loss").name == "train_loss"
    assert names.meaning("loss").name == "loss"
    assert names.meaning("batches").axis is Axis.STEP


def test_an_unknown_signal_in_the_map_is_an_error_that_names_the_known_ones() -> None:
    """A slip in the project's settings must not go unnoticed."""
    with pytest.raises(UsageError, match="'trian_loss' in the map of names is no signal") as caught:
        Names({"trian_loss": "loss"})
    assert "train_loss" in str(caught.value.hint)


def test_per_cent_in_the_name() -> None:
    """ "test acc %" is per cent whatever its values."""
    assert Names().meaning("test acc %").percent
    assert not Names().meaning("test acc").percent


@pytest.mark.parametrize("column", ["rollout/ep_rew_mean", "EpRewMean", "reward", "episode_return", "TimestepsSoFar"])
def test_columns_of_reinforcement_learning(column: str) -> None:
    """Nobody else logs them."""
    assert of_reinforcement(column)


@pytest.mark.parametrize("column", ["epoch", "rewards/margins", "timestep_embedding_norm", "loss", "crewed"])
def test_columns_of_others(column: str) -> None:
    """DPO logs `rewards/margins` and has a loss that falls."""
    assert not of_reinforcement(column)


@pytest.mark.parametrize(
    ("column", "side"),
    [
        ("train/d_loss", "discriminator"),
        ("lossG", "generator"),
        ("D_A", "discriminator"),
        ("Critic Loss", "discriminator"),
        ("g_d_loss", ""),
        ("G", ""),
        ("g_norm", ""),
        ("val_loss", ""),
    ],
)
def test_losses_of_adversaries(column: str, side: str) -> None:
    """Told by a side's name beside a word for a loss, and nothing else."""
    assert adversary(column) == side
    assert ("need not fall" in Names().meaning(column).because) == bool(side)


def test_an_axis_that_is_mapped_is_no_other_column() -> None:
    """With ``--map step=iter`` a column called step is a number like any other."""
    names = Names({"step": "iter"})
    assert names.meaning("iter").axis is Axis.STEP
    assert names.meaning("step").axis is None
    assert names.meaning("epoch").axis is Axis.EPOCH
