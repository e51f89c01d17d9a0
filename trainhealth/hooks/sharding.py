"""How a parameter lies in the processes that train together (FSDP, tensor parallelism)."""

from __future__ import annotations

from enum import Enum

from torch import Tensor, nn


class Placement(Enum):
    """What of a parameter this process holds."""

    WHOLE = "whole"
    SHARDED = "sharded"  # a part, which no other process holds
    MIXED = "mixed"  # a part that others hold too, or a summand: nothing that ranks could merge without talking


def placement(tensor: Tensor) -> Placement:
    """Return how `tensor` lies: a `DTensor` has `placements`."""
    if type(tensor) in (nn.Parameter, Tensor):
        return Placement.WHOLE
    places = getattr(tensor, "placements", None)
    if places is None:
        return Placement.MIXED if hasattr(tensor, "to_local") else Placement.WHOLE
    if all(place.is_replicate() for place in places):
        return Placement.WHOLE
    return Placement.SHARDED if all(place.is_shard() for place in places) else Placement.MIXED
