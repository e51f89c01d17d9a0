"""A recurrent net over a long sequence, with truncated backpropagation: the state goes on, its graph does not."""

import torch
from torch import nn

torch.manual_seed(5)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 12, batch_first=True)
        self.out = nn.Linear(12, 1)

    def forward(self, x, state):
        features, state = self.lstm(x, state)
        return self.out(features), state


wave = torch.sin(torch.arange(0, 121) * 0.3)[None, :, None] + 0.05 * torch.randn(4, 121, 1)
model = Recurrent()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
losses = []
for _ in range(2):
    state = None
    for start in range(0, 120, 20):
        if state is not None:
            state = tuple(part.detach() for part in state)
        output, state = model(wave[:, start : start + 20], state)
        loss = nn.functional.mse_loss(output, wave[:, start + 1 : start + 21])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

torch.save((model.state_dict(), losses, torch.get_rng_state()), "result.pt")
