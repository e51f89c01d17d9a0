"""The places of a model at which activations are measured, and the layout that names them in the log."""

from __future__ import annotations

from collections.abc import Set

import msgspec
from torch import Tensor, nn

from trainhealth.hooks.sample import Place
from trainhealth.records import LayerEntry

_UNITS_IN_AXIS_1 = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
)
_NORMALISATIONS = (nn.LayerNorm, nn.RMSNorm, nn.LocalResponseNorm, *_UNITS_IN_AXIS_1[6:])
_ATOMIC = (nn.MultiheadAttention,)  # their children are parameters' homes whose forward is never called

CALLED_BY_NOTHING = "input"  # stands for the layer that feeds an activation function at the very beginning


def measured_modules(model: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Return the modules whose output is measured: leaves with parameters, and normalisation without.

    Activation functions are seen by `FunctionObserver`, also those that are modules; dropout, pooling and reshaping say
    nothing that their neighbours do not. A module that stands under several names is listed under its first.
    """
    found: list[tuple[str, nn.Module]] = []
    inside_atomic: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if inside_atomic and name.startswith(inside_atomic):
            continue
        if isinstance(module, _ATOMIC):
            inside_atomic = (*inside_atomic, f"{name}.")
        elif "parametrizations" in module._modules and len(module._modules) == 1:
            inside_atomic = (*inside_atomic, f"{name}." if name else "parametrizations.")  # a leaf with weight_norm …
        elif next(module.children(), None) is not None and not _has_helpers(module):
            continue
        own = next(module.parameters(), None) is not None
        if (own or isinstance(module, (*_NORMALISATIONS, *_ATOMIC))) and not isinstance(module, nn.PReLU):
            found.append((f"{prefix}{plain_name(name)}".removesuffix(".") or type(module).__name__, module))
    return found


def _has_helpers(module: nn.Module) -> bool:
    """Tell whether it is a linear layer or convolution with children that have no weights (it is to be quantized)."""
    weighted = isinstance(module, nn.Linear | nn.modules.conv._ConvNd)
    return weighted and all(next(child.parameters(), None) is None for child in module.children())


def plain_name(name: str) -> str:
    """Return the qualified name of a module or parameter without what `torch.compile` puts around a module."""
    return name if "_orig_mod" not in name else ".".join(part for part in name.split(".") if part != "_orig_mod")


class Places:
    """Gives every place its position in the layout, in order of first execution."""

    def __init__(self) -> None:
        self.entries: list[LayerEntry] = []
        self._by_name: dict[str, Place] = {}

    def module(self, name: str, module: nn.Module, output: Tensor, fed_by: str | None = None) -> Place:
        """Return the place of a module's output; `fed_by` is the layer whose output it gets, where there is one."""
        axis = 1 if isinstance(module, _UNITS_IN_AXIS_1) and output.dim() > 1 else -1
        if isinstance(module, nn.modules.conv._ConvNd):
            axis = output.dim() - 1 - len(module.kernel_size)  # 0 for an example without a batch
        return self._by_name.get(name) or self._add(name, type(module).__name__, output, axis, fed_by=fed_by)

    def function(self, function: str, fed_by: Place | None, output: Tensor) -> Place:
        """Return the place of an activation function: named after the layer that feeds it.

        The unit axis follows that layer, unless the output was reshaped in between.
        """
        source = fed_by.name if fed_by else CALLED_BY_NOTHING
        name = f"{source}/{function}"
        if name in self._by_name:
            return self._by_name[name]
        axis = 1 if output.dim() == 4 else -1  # images [N, C, H, W]; else features last
        if (
            fed_by
            and -output.dim() <= fed_by.unit_axis < output.dim()
            and output.shape[fed_by.unit_axis] == fed_by.units
        ):
            axis = fed_by.unit_axis
        return self._add(name, function, output, axis, activation=function, fed_by=source)

    def not_alone(self, joined: Set[str]) -> None:
        """Take down that these places feed a sum or product, too: they are no layer's alone."""
        for index, entry in enumerate(self.entries if joined else ()):
            if entry.fed_by in joined and not entry.activation:
                self.entries[index] = msgspec.structs.replace(entry, fed_by=None)

    def _add(
        self, name: str, kind: str, output: Tensor, axis: int, activation: str | None = None, fed_by: str | None = None
    ) -> Place:
        units = output.shape[axis] if output.dim() > 0 else 1
        place = self._by_name[name] = Place(len(self.entries), name, activation, axis, units)
        self.entries.append(
            LayerEntry(name=name, type=kind, activation=activation, fed_by=fed_by, unit_axis=axis, units=units)
        )
        return place
