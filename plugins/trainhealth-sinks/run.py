"""A short training whose signals and findings go to TensorBoard: tensorboard --logdir runs/sinks-tensorboard."""

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

import trainhealth
from trainhealth_sinks import TensorBoardSink

inputs = torch.randn(512, 10)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
writer = SummaryWriter("runs/sinks-tensorboard")
with trainhealth.watch(model, optimizer, run_dir="runs/sinks") as watch, writer:
    sink = TensorBoardSink(watch.run_dir, writer)
    for _ in range(2):
        for batch in inputs.split(32):
            loss = nn.functional.mse_loss(model(batch), batch.sum(1, keepdim=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
        watch.epoch()
        sink.update()
