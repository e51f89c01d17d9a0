"""DA05: fires where the examples of a batch are alike."""

import pytest

from trainhealth.findings import NotChecked
from trainhealth.rules.data.unshuffled_batches import UnshuffledBatches
from trainhealth.testing import check_rule, make_run

SAMPLED = (0, 1, 2, 4, 8, 16, 32, 64)


def judge(share, majority=0.1, *, size=32, seen=10.0, shape=(32,), epochs=4, facts=None, **run):
    growing = seen if isinstance(seen, list) else [seen] * len(SAMPLED)
    batch = {
        step: {"batch_majority_share": share, "majority_share": majority, "classes_seen": classes, "batch_classes": 1.0}
        for step, classes in zip(SAMPLED, growing, strict=True)
    }
    known = {"target_shape": list(shape)} | (facts or {})
    made = make_run(
        [1.0] * 80, batch_size=size, batch=batch, facts=known, epochs=[{"validation_loss": 1.0}] * epochs, **run
    )
    return check_rule(UnshuffledBatches, made)


def test_fires_on_batches_of_one_class():
    """A tenth of all targets, and all of a batch."""
    (found,) = judge(1.0)
    assert found.message.startswith("A usual batch of 32 holds 100 % of one class and 1 of 10 classes")
    assert found.recommendations[0].recipe == "shuffle-data"


def test_fires_just_beyond_chance():
    """More than half of a batch; of 8 draws from three classes, Chernoff's limit lies between 0.95 and 0.96."""
    assert judge(0.5) == ()
    assert judge(0.51)
    assert judge(0.95, 0.4, size=8, seen=3.0) == ()
    assert judge(0.96, 0.4, size=8, seen=3.0)


@pytest.mark.parametrize(
    "case",
    [
        {"share": 1.0, "size": 2},
        {"share": 0.9, "majority": 0.88, "seen": 2.0},
        {"share": 1.0, "shape": (8, 16, 16)},
        {"share": 1.0, "seen": [2.0] * 6 + [4.0, 4.0]},
        {"share": 1.0, "majority": 1.0, "seen": 1.0},
    ],
    ids=["two examples", "imbalanced", "a label per pixel", "one class after the other", "one class"],
)
def test_silent_on_what_is_meant_or_chance(case):
    """None of them shows an order that is not meant."""
    assert judge(**case) == ()


def test_silent_on_adversaries():
    """A discriminator sees real and generated examples in turn."""
    assert judge(1.0, 0.5, seen=2.0, evaluations={1: {"loss_D": 1.0, "loss_G": 1.0}}) == ()


# --- regression ---


def of_targets(means, within, epochs=1):
    batch = {step: {"target_mean": mean, "target_std": within} for step, mean in enumerate(means)}
    made = make_run([1.0] * 16, batch_size=16, batch=batch, epochs=[{"validation_loss": 1.0}] * epochs)
    return check_rule(UnshuffledBatches, made)


RISING = [i / 4 for i in range(16)]  # a standard deviation of 1.15


def test_fires_on_sorted_targets():
    """Within a batch they differ less than from batch to batch."""
    (found,) = of_targets(RISING, 1.1)
    assert "in random batches of 16 the second is 4 times as small" in found.message
    assert of_targets(RISING, 1.2) == ()


def test_silent_without_epochs():
    """Targets of reinforcement learning drift, and there are no epochs within which they could be sorted."""
    assert of_targets(RISING, 0.1, epochs=0) == ()


def test_not_checked_on_too_little():
    """Four sampled batches, and a batch size."""
    assert isinstance(of_targets(RISING[:3], 0.1), NotChecked)
    run = make_run([1.0] * 8, batch={step: {"batch_majority_share": 1.0} for step in range(8)})
    assert isinstance(check_rule(UnshuffledBatches, run), NotChecked)


def test_few_samples_of_the_first_epoch_are_no_order_of_teaching():
    """Every other sample brings a new class: all are there, and few were looked at. Repeats are one task's classes."""
    assert judge(1.0, seen=[1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 8.0, 10.0])
    assert judge(1.0, seen=[1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 8.0, 10.0]) == ()
