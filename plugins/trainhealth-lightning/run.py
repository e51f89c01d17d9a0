"""A training with a learning rate that is too high: the callback ends it. Then: trainhealth check runs/lightning."""

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trainhealth_lightning import TrainHealthCallback


class Regression(LightningModule):
    """A small network on numbers that follow a simple rule."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Return the loss of a batch."""
        return nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return an optimizer whose steps are much too large."""
        return torch.optim.SGD(self.parameters(), lr=5.0)


inputs = torch.randn(512, 10)
loader = DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=32, shuffle=True)
trainer = Trainer(
    max_epochs=20,
    callbacks=[TrainHealthCallback("runs/lightning", stop_on="critical")],
    logger=False,
    enable_checkpointing=False,
    accelerator="cpu",
)
trainer.fit(Regression(), loader)
