"""A script with a bug: after three steps the classes are more than the outputs."""

import torch
from torch import nn

torch.manual_seed(10)
model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def train_step(step):
    targets = torch.randint(3, (8,)) if step < 3 else torch.full((8,), 7)
    loss = nn.functional.cross_entropy(model(torch.randn(8, 4)), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for step in range(6):
    train_step(step)
