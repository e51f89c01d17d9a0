"""A trainer class: regression on diabetes, a criterion of its own, evaluation in inference mode."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn


class RelativeLoss(nn.Module):
    def forward(self, prediction, target):
        return ((prediction - target) ** 2).mean() / 1.5


class Trainer:
    def __init__(self):
        torch.manual_seed(2)
        features, targets = load_diabetes(return_X_y=True, scaled=True)
        x, y = torch.tensor(features, dtype=torch.float32) * 20, torch.tensor(targets, dtype=torch.float32)[:, None]
        y = (y - y.mean()) / y.std()
        self.train_data, self.validation_data = (x[:340], y[:340]), (x[340:], y[340:])
        self.model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
        self.loss = RelativeLoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.history = []

    def fit(self, epochs):
        for _ in range(epochs):
            self.model.train()
            for x, y in zip(*(part.split(34) for part in self.train_data), strict=True):
                self.training_step(x, y)
            self.history.append(self.validate())
        return self

    def training_step(self, x, y):
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        self.last = loss

    @torch.inference_mode()
    def validate(self):
        self.model.eval()
        x, y = self.validation_data
        return self.loss(self.model(x), y).item()


trainer = Trainer().fit(3)
torch.save((trainer.model.state_dict(), trainer.last, torch.get_rng_state()), "result.pt")
torch.save(trainer.history, "evaluations.pt")
