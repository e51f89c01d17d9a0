"""A compiled model, made after its optimizer, and a compiled loss function."""

import torch
from torch import nn

torch.manual_seed(7)
model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
compiled_model = torch.compile(model, backend="aot_eager")


@torch.compile(backend="aot_eager")
def compute_loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets, label_smoothing=0.1)


losses = []
for _ in range(8):
    x, y = torch.randn(16, 6), torch.randint(2, (16,))
    loss = compute_loss(compiled_model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
torch.save((model.state_dict(), (losses, graphs), torch.get_rng_state()), "result.pt")
