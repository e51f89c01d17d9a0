"""The coming batches are those that the user's own loop meets afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from trainhealth.checkups.batches import Batches
from trainhealth.checkups.coming import Coming

PLENTY = 3600.0  # seconds
CPU = torch.device("cpu")


def loader(generator: torch.Generator | None = None) -> DataLoader[tuple[Tensor, ...]]:
    return DataLoader(TensorDataset(torch.arange(20.0)), 5, shuffle=True, generator=generator)


def firsts(batches: Batches) -> list[float]:
    return [float(values[0]) for (values,) in batches]


@pytest.mark.parametrize("own_generator", [False, True])
def test_the_order_is_that_of_the_epochs_that_follow(own_generator: bool) -> None:
    """Whatever has been drawn, and whatever random numbers were spent, in between."""
    torch.manual_seed(3)
    made = loader(torch.Generator().manual_seed(7) if own_generator else None)
    before = torch.get_rng_state(), made.generator and made.generator.get_state()
    coming = Coming(made, CPU)
    list(made)
    torch.rand(5)
    drawn = firsts(coming.draw(12, PLENTY))
    torch.set_rng_state(before[0])
    if made.generator is not None and before[1] is not None:
        made.generator.set_state(before[1])
    assert drawn == [float(values[0]) for _ in range(3) for (values,) in made]
    assert drawn[:4] != drawn[4:8]


def test_no_more_batches_than_asked_for() -> None:
    """The last epoch may be cut."""
    assert len(Coming(loader(), CPU).draw(6, PLENTY)) == 6


def test_without_time_there_is_one_batch() -> None:
    """Drawing ends when its time is spent."""
    assert len(Coming(loader(), CPU).draw(100, 0.0)) == 1


def test_a_list_of_batches_is_drawn_once() -> None:
    """It is the same in every epoch, so that nothing more is to be kept."""
    assert len(Coming([(torch.ones(2, 3),)] * 4, CPU).draw(100, PLENTY)) == 4


class Stream(IterableDataset[Tensor]):
    """Numbers that can be read once."""

    def __init__(self) -> None:
        self.numbers = iter(torch.arange(8.0))

    def __iter__(self) -> Iterator[Tensor]:
        return self.numbers


def test_a_stream_that_can_not_begin_again_ends() -> None:
    """What it yielded once is all that there is."""
    assert len(Coming(DataLoader(Stream(), 4), CPU).draw(100, PLENTY)) == 2
