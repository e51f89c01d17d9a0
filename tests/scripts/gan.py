"""Two models and two optimizers: a generative adversarial network for a ring of points."""

import torch
from torch import nn

torch.manual_seed(3)

netG = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))  # noqa: N816
netD = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))  # noqa: N816
criterion = nn.BCEWithLogitsLoss()
optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))  # noqa: N816
optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))  # noqa: N816

losses = []
for _ in range(20):
    angle = torch.rand(32, 1) * 6.2832
    real = torch.cat([angle.cos(), angle.sin()], 1)
    ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)

    netD.zero_grad()
    loss_real = criterion(netD(real), ones)
    loss_real.backward()
    fake = netG(torch.randn(32, 4))
    loss_fake = criterion(netD(fake.detach()), zeros)
    loss_fake.backward()
    optimizerD.step()

    netG.zero_grad()
    loss_generator = criterion(netD(fake), ones)
    loss_generator.backward()
    optimizerG.step()
    losses.append((loss_real.item(), loss_fake.item(), loss_generator.item()))

torch.save(((netG.state_dict(), netD.state_dict()), losses, torch.get_rng_state()), "result.pt")
