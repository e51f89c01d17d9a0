"""Ways of watching a training run, side by side: ours, and what else there is. Peers are measured where installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks.governor import Governor
from trainhealth.hooks.sampler import Sampler


class Watcher:
    """What is called in every step, and at the end: by itself it watches nothing."""

    def backward(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Compute the gradients."""
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def step(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """A step has been taken."""

    def close(self) -> None:
        """Write what is left."""


class Ours(Watcher):
    """`trainhealth.watch`."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path, overhead: float) -> None:
        self._watch = trainhealth.watch(model, optimizer, run_dir=folder / "run", overhead=overhead)
        self.governor: Governor = self._watch._governor
        self.sampler: Sampler = self._watch.recorder.sampler

    def step(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Record the step."""
        self._watch.step(loss, outputs=logits, targets=targets)

    def close(self) -> None:
        """End the log."""
        self._watch.close()


class WandbWatch(Watcher):
    """`wandb.watch(log="all")`: histograms of all gradients and parameters every so many steps, offline."""

    def __init__(self, model: nn.Module, folder: Path, every: int) -> None:
        import wandb  # type: ignore[import-not-found, unused-ignore]  # a peer, not a dependency

        settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
        self._run: Any = wandb.init(mode="offline", dir=str(folder), settings=settings)
        self._run.watch(model, log="all", log_freq=every)

    def step(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Log the loss, as its users do; the histograms come along."""
        self._run.log({"loss": loss.item()})

    def close(self) -> None:
        """End the run."""
        self._run.finish()


class TensorBoardHistograms(Watcher):
    """`SummaryWriter.add_histogram` of every parameter and gradient every so many steps, and the loss at each."""

    def __init__(self, model: nn.Module, folder: Path, every: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))
        self._model, self._every, self._steps = model, every, 0

    def step(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Add the loss, and at every so many steps the histograms."""
        self._writer.add_scalar("loss", loss.item(), self._steps)
        if self._steps % self._every == 0:
            for name, parameter in self._model.named_parameters():
                self._writer.add_histogram(name, parameter, self._steps)
                if parameter.grad is not None:
                    self._writer.add_histogram(f"{name}.grad", parameter.grad, self._steps)
        self._steps += 1

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class HandWrittenHooks(Watcher):
    """What one writes in an hour: mean and deviation of every layer's output, norm of every gradient, all `.item()`."""

    def __init__(self, model: nn.Module, folder: Path) -> None:
        self._values: dict[str, float] = {}
        self._model = model
        self._file = (folder / "log").open("w")
        for name, module in model.named_modules():
            if not list(module.children()):
                module.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            tensor = output if isinstance(output, Tensor) else output[0]
            self._values[f"{name}.mean"] = tensor.detach().mean().item()
            self._values[f"{name}.std"] = tensor.detach().std().item()

        return hook

    def step(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Write the loss, the layers' values and the gradients' norms."""
        for name, parameter in self._model.named_parameters():
            if parameter.grad is not None:
                self._values[f"{name}.grad"] = parameter.grad.norm().item()
        self._file.write(f"{loss.item()} {self._values}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class CockpitEconomy(Watcher):
    """Cockpit's economy configuration every so many steps; BackPACK knows plain layers in a row only."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, every: int) -> None:
        from backpack import extend  # type: ignore[import-not-found, unused-ignore]  # a peer, not a dependency
        from cockpit import Cockpit  # type: ignore[import-not-found, unused-ignore]
        from cockpit.utils.configuration import configuration  # type: ignore[import-not-found, unused-ignore]
        from cockpit.utils.schedules import linear  # type: ignore[import-not-found, unused-ignore]

        extend(model)
        self._mean: nn.Module = extend(nn.CrossEntropyLoss())
        self._each = nn.CrossEntropyLoss(reduction="none")
        self._cockpit: Any = Cockpit(model.parameters(), configuration("economy", linear(every)))
        self._optimizer, self._steps = optimizer, 0

    def backward(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Compute the gradients inside its context, of a loss that it knows."""
        loss = self._mean(logits, targets)
        losses = self._each(logits, targets)
        known = {"batch_size": len(targets), "individual_losses": losses, "loss": loss, "optimizer": self._optimizer}
        with self._cockpit(self._steps, info=known):
            loss.backward(create_graph=self._cockpit.create_graph(self._steps))  # type: ignore[no-untyped-call]

    def step(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Count."""
        self._steps += 1


Make = Callable[[nn.Module, torch.optim.Optimizer, Path], Watcher]

WATCHERS: dict[str, Make] = {
    "trainhealth, default": lambda model, optimizer, folder: Ours(model, optimizer, folder, 0.02),
    "trainhealth, every step": lambda model, optimizer, folder: Ours(model, optimizer, folder, 1.0),
    "hand-written .item() hooks, every step": lambda model, optimizer, folder: HandWrittenHooks(model, folder),
}
if importlib.util.find_spec("wandb"):
    WATCHERS["wandb.watch(log='all'), every 100"] = lambda model, optimizer, folder: WandbWatch(model, folder, 100)
    WATCHERS["wandb.watch(log='all'), every 10"] = lambda model, optimizer, folder: WandbWatch(model, folder, 10)
if importlib.util.find_spec("tensorboard"):
    WATCHERS["TensorBoard histograms, every 10"] = lambda m, optimizer, folder: TensorBoardHistograms(m, folder, 10)
if importlib.util.find_spec("cockpit"):
    WATCHERS["Cockpit, economy, every step"] = lambda model, optimizer, folder: CockpitEconomy(model, optimizer, 1)
    WATCHERS["Cockpit, economy, every 10"] = lambda model, optimizer, folder: CockpitEconomy(model, optimizer, 10)
