"""DA09: fires where NaN or infinity enters the model and reaches the loss."""

import math

from trainhealth.rules.data.nonfinite_inputs import NonfiniteInputs
from trainhealth.testing import check_rule, make_run


def judge(losses, counts):
    batch = {step: {"input_nonfinite": count} for step, count in counts.items()}
    return check_rule(NonfiniteInputs, make_run(losses, batch=batch))


def test_fires_where_the_loss_is_no_number_at_that_step():
    """Three elements at step 4, and the loss with them."""
    (found,) = judge([1.0] * 4 + [math.nan] * 6, {0: 0, 2: 0, 4: 3, 8: 0})
    assert found.first_step == 4
    assert found.message == (
        "3 elements of the input are NaN or infinite at step 4, and train_loss is not a number from step 4 on."
    )


def test_silent_where_the_loss_stays_finite():
    """A mask of minus infinity, or NaN that the model replaces."""
    assert judge([1.0] * 10, {0: 30, 4: 30}) == ()


def test_silent_where_the_loss_was_lost_elsewhere():
    """The inputs of another step were handled; nothing non-finite came in when the loss was lost."""
    assert judge([1.0] * 8 + [math.nan] * 2, {0: 30, 4: 0, 8: 0}) == ()
