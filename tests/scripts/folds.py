"""Cross-validation: a new model and a new optimizer for each fold, and a second phase with another optimizer."""

import torch
from torch import nn

torch.manual_seed(9)
x, y = torch.randn(60, 4), torch.randint(2, (60,))
states, losses = [], []
for fold in range(2):
    held_out = torch.arange(60) % 2 == fold
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    for phase in (torch.optim.SGD, torch.optim.Adam):
        optimizer = phase(model.parameters(), lr=0.01)
        for _ in range(6):
            model.train()
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[~held_out]), y[~held_out])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        losses.append(nn.functional.cross_entropy(model(x[held_out]), y[held_out]).item())
    states.append(model.state_dict())

torch.save((states, losses, torch.get_rng_state()), "result.pt")
