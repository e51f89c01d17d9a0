"""A plain loop at the top of the file, with an evaluation after each epoch: digits, a small classifier."""

import torch
import torch.nn.functional as F  # noqa: N812
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(0)
torch.set_num_threads(1)

digits = load_digits()
data = TensorDataset(torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target))
train_set, validation_set = random_split(data, [1500, 297])
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
validation_loader = DataLoader(validation_set, batch_size=100)

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(2):
    model.train()
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
    model.eval()
    total = right = 0
    with torch.no_grad():
        for inputs, targets in validation_loader:
            outputs = model(inputs)
            total += F.cross_entropy(outputs, targets, reduction="sum").item()
            right += (outputs.argmax(1) == targets).sum().item()
    print(f"epoch {epoch}: validation loss {total / 297:.6f}, accuracy {right / 297:.6f}")

torch.save((model.state_dict(), loss, torch.get_rng_state()), "result.pt")
