"""A training with a learning rate that is far too high: the handler ends it. Then: trainhealth check runs/ignite."""

import torch
from ignite.engine import create_supervised_trainer
from torch import nn

from trainhealth_ignite import TrainHealthHandler

model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
trainer = create_supervised_trainer(model, optimizer, nn.MSELoss())
TrainHealthHandler(model, optimizer, "runs/ignite", stop_on="critical").attach(trainer)
batches = [(inputs, inputs.sum(1, keepdim=True)) for inputs in torch.randn(16, 32, 10)]
trainer.run(batches, max_epochs=20)
