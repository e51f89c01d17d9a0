"""DA03: fires where many features have one value in all examples."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.data.constant_features import ConstantFeatures
from trainhealth.testing import check_rule, make_run


def judge(constant, features=20, samples=10, batch_size=20):
    batch = {step: {"constant_features": constant, "input_features": features} for step in range(samples)}
    return check_rule(ConstantFeatures, make_run([1.0] * samples, batch_size=batch_size, batch=batch))


@pytest.mark.parametrize(
    ("constant", "severity"), [(5, Severity.NOTE), (9, Severity.NOTE), (10, Severity.WARNING), (20, Severity.CRITICAL)]
)
def test_severity_grows_with_the_share(constant, severity):
    """A quarter, half, all."""
    (found,) = judge(constant)
    assert found.severity is severity
    assert found.message.startswith(f"{constant} of the 20 features")


def test_silent_on_a_few():
    """The corners of handwritten digits never change."""
    assert judge(4) == ()
    assert judge(3, features=64, samples=40) == ()


def test_needs_enough_examples():
    """Two hundred, and ten a feature: rare words have not come up in fewer."""
    assert isinstance(judge(20, samples=9), NotChecked)
    assert isinstance(judge(500, features=1000), NotChecked)
