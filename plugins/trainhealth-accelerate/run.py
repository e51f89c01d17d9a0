"""A training with a learning rate that is far too high, ended by it. Then: trainhealth check runs/accelerate."""

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainhealth_accelerate import TrainHealthTracker

inputs = torch.randn(512, 10)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
loader = DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=32, shuffle=True)

tracker = TrainHealthTracker("runs/accelerate", stop_on="critical")
accelerator = Accelerator(log_with=tracker, cpu=True)
accelerator.init_trackers("demo", config={"lr": 5.0})
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
tracker.watch(model, optimizer)
for _ in range(20):
    for batch, targets in loader:
        loss = nn.functional.mse_loss(model(batch), targets)
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
        accelerator.log({"train_loss": loss})
        if tracker.should_stop:
            accelerator.set_trigger()
    if accelerator.check_trigger():  # on every rank, when it was set on one
        break
accelerator.end_training()
