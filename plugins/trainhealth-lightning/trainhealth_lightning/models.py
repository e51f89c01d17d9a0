"""Which modules of a LightningModule to watch: those whose forward a training step calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule


def watched_modules(module: LightningModule) -> nn.Module | dict[str, nn.Module]:
    """Return the module, or its children by name where the training step calls those and not the module itself.

    ``training_step`` is no forward. It calls ``self(x)``, which most modules hand on to the one network that they
    hold, or that network itself: watching the network sees both. A module without a forward of its own can only be
    called through its children.
    """
    children = {name: child for name, child in module.named_children() if any(True for _ in child.parameters())}
    containers = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)  # have no forward
    if not children or any(isinstance(child, containers) for child in children.values()):
        return module
    held = {id(parameter) for child in children.values() for parameter in child.parameters()}
    if any(id(parameter) not in held for parameter in module.parameters()):
        return module  # it computes with parameters of its own
    without_forward = type(module).forward.__qualname__ == "LightningModule.forward"
    return children if len(children) == 1 or without_forward else module
