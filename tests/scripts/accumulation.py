"""Gradient accumulation under a loss scaler: four batches an update, fewer at the end of the epoch."""

import torch
from torch import nn

torch.manual_seed(6)
ACCUMULATE = 4
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
batches = [(torch.randn(10, 8), torch.randint(3, (10,))) for _ in range(10)]
losses = []
for _ in range(3):
    for number, (x, y) in enumerate(batches, 1):
        loss = nn.functional.cross_entropy(model(x), y) / ACCUMULATE
        scaler.scale(loss).backward()
        losses.append(loss.item())
        if number % ACCUMULATE == 0 or number == len(batches):
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()

torch.save((model.state_dict(), losses, torch.get_rng_state()), "result.pt")
