"""The snippets of `recipes/loading.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import pytest
import torch

from tests.recipes.script import apply, digits_script, paste


def test_shuffle_data() -> None:
    """Sorted data come as mixtures of classes, every example once an epoch, in another order each time."""
    script = digits_script()
    order = script["targets"].argsort()
    script["inputs"], script["targets"] = script["inputs"][order], script["targets"][order]
    apply("shuffle-data", script)
    batches = [labels for _, labels in script["loader"]]
    assert min(len(labels.unique()) for labels in batches) >= 6
    assert torch.equal(torch.cat(batches).sort().values, script["targets"])
    assert not torch.equal(torch.cat(batches), torch.cat([labels for _, labels in script["loader"]]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork in a process with threads, Python 3.12
def test_data_loader_workers() -> None:
    """Two processes load, and every example arrives."""
    script = paste("data-loader-workers", digits_script())
    assert script["loader"].num_workers == 2
    assert sum(len(labels) for _, labels in script["loader"]) == 256
