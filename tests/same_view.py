"""Comparing two views of a run field by field, NaN equal to NaN."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np

from trainhealth.series import Columns, RunView, Series


def assert_same_view(one: RunView, other: RunView) -> None:
    """Fail where any series, column or fact differs."""
    for field in dataclasses.fields(RunView):
        _assert_same(getattr(one, field.name), getattr(other, field.name), field.name)


def frozen_copy(view: RunView) -> RunView:
    """Return a copy that shares no array with `view`."""
    return copy.deepcopy(view)


def _assert_same(one: Any, other: Any, where: str) -> None:
    assert type(one) is type(other), where
    if isinstance(one, Series | Columns):
        assert len(one.steps) == len(other.steps), where
        np.testing.assert_array_equal(one.steps, other.steps, where)
        np.testing.assert_allclose(one.values, other.values, rtol=1e-12, err_msg=where)
        if isinstance(one, Columns):
            assert (one.places, one.table) == (other.places, other.table), where
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, where)
    elif isinstance(one, dict):
        assert set(one) == set(other), where
        for key in one:
            _assert_same(one[key], other[key], f"{where}[{key}]")
    elif isinstance(one, tuple | list):
        assert len(one) == len(other), where
        for i, (item, counterpart) in enumerate(zip(one, other, strict=True)):
            _assert_same(item, counterpart, f"{where}[{i}]")
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            _assert_same(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, float):
        np.testing.assert_allclose(one, other, rtol=1e-12, err_msg=where)
    else:
        assert one == other, where
