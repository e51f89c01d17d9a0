"""A training with a learning rate that is far too high: the callback ends it. Then: trainhealth check runs/trainer."""

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from trainhealth_transformers import TrainHealthCallback


class Regression(nn.Module):
    """A small network that returns its loss, as models for the Trainer do."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the loss and what it was computed of."""
        outputs = self.net(inputs)
        return {"loss": nn.functional.mse_loss(outputs, labels), "logits": outputs}


train = [{"inputs": row, "labels": row.sum(0, keepdim=True)} for row in torch.randn(512, 10)]
arguments = TrainingArguments(
    "runs/trainer-files",
    num_train_epochs=20,
    per_device_train_batch_size=32,
    optim="sgd",
    learning_rate=5.0,
    max_grad_norm=1e9,
    save_strategy="no",
    report_to="none",
    use_cpu=True,
)
callback = TrainHealthCallback("runs/trainer", stop_on="critical")
Trainer(Regression(), arguments, train_dataset=train, callbacks=[callback]).train()
