"""A script that ends with an exit code of its own, after training on what it was told on the command line."""

import sys

import torch

torch.manual_seed(11)
weight = torch.randn(3, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=0.1)
for _ in range(int(sys.argv[1])):
    loss = ((weight - torch.tensor([1.0, 2.0, 3.0])) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
torch.save((weight, loss, torch.get_rng_state()), "result.pt")
print(sys.argv[1:], __name__, __file__ == sys.argv[0], sys.path[0] == __file__.rpartition("/")[0], sys.stdin.read())
sys.exit(3)
