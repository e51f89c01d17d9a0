"""Regression with LBFGS, whose closure is called many times an update."""

import torch
from sklearn.datasets import make_regression
from torch import nn

torch.manual_seed(8)
features, targets = make_regression(80, 5, noise=3.0, random_state=0)
x, y = torch.tensor(features, dtype=torch.float32), torch.tensor(targets, dtype=torch.float32)[:, None] / 100
model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=6)
losses = []


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for _ in range(5):
    losses += [optimizer.step(closure).item()]

torch.save((model.state_dict(), losses, torch.get_rng_state()), "result.pt")
