"""A training with a learning rate that is far too high: the callback ends it. Then: trainhealth check runs/fastai."""

from functools import partial

import torch
from fastai.basics import DataLoader, DataLoaders, Learner, OptimWrapper
from torch import nn

from trainhealth_fastai import TrainHealthCallback

inputs = torch.randn(512, 10)
examples = [(row, row.sum(0, keepdim=True)) for row in inputs]
loaders = DataLoaders(DataLoader(examples[:400], bs=32, shuffle=True), DataLoader(examples[400:], bs=32), device="cpu")
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
learn = Learner(
    loaders,
    model,
    loss_func=nn.MSELoss(),
    opt_func=partial(OptimWrapper, opt=torch.optim.SGD),
    cbs=TrainHealthCallback("runs/fastai", stop_on="critical"),
)
learn.fit(20, lr=5.0)
