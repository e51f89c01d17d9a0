"""The batches of an Ultralytics trainer, so that a watch sees in them what the network is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PICTURES = "img"


def pictures_first(preprocess: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a `preprocess_batch` that does the same, and puts the pictures before all else.

    The model is given the whole batch, a dictionary in the order of the alphabet. A watch takes the first tensor for
    the input, which would be `batch_idx`: a number an object, of which there are more or fewer than pictures.
    """

    def preprocess_batch(batch: Any) -> Any:
        prepared = preprocess(batch)
        if isinstance(prepared, dict) and PICTURES in prepared:
            return {PICTURES: prepared[PICTURES], **prepared}
        return prepared

    return preprocess_batch
