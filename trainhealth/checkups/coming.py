"""The batches of the user's coming epochs, in the order in which the training will meet them."""

from __future__ import annotations

from typing import Any

import torch

from trainhealth.checkups.batches import Batches, draw_epochs
from trainhealth.checkups.guard import loader_states, random_states


class Coming:
    """Draws what the user's own loop will draw after the checkup.

    What that depends on, the random states and those of the loader, is remembered when this is made: before anything
    has been drawn. A loop that spends random numbers in other places (dropout, a loader of the validation split without
    a generator of its own) meets the first epoch so, and later ones in another order.
    """

    def __init__(self, source: Any, device: torch.device) -> None:
        self._source, self._device = source, device
        self._states = [*random_states(), *loader_states(source)]

    def draw(self, steps: int, seconds: float) -> Batches:
        """Return up to `steps` batches from now on; fewer where they take longer than `seconds` or too much memory."""
        for restore in self._states:
            restore()
        return draw_epochs(self._source, self._device, steps, seconds)
