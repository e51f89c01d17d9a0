"""Functions and a command line: wine, a schedule, `if __name__ == "__main__"`."""

import argparse

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(13, hidden), nn.BatchNorm1d(hidden), nn.ReLU())
        self.head = nn.Linear(hidden, 3)

    def forward(self, x):
        return self.head(self.body(x))


def get_loaders(batch_size):
    features, targets = load_wine(return_X_y=True)
    features = torch.tensor(features, dtype=torch.float32)
    features = (features - features.mean(0)) / features.std(0)
    order = torch.randperm(len(features))
    data = TensorDataset(features[order], torch.tensor(targets)[order])
    train, test = torch.utils.data.Subset(data, range(140)), torch.utils.data.Subset(data, range(140, 178))
    return DataLoader(train, batch_size, shuffle=True, drop_last=True), DataLoader(test, batch_size)


def train(model, loader, criterion, optimizer):
    model.train()
    losses = []
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def evaluate(model, loader, criterion):
    model.eval()
    total = correct = count = 0
    for x, y in loader:
        out = model(x)
        total += criterion(out, y).item() * len(y)
        correct += (out.argmax(1) == y).sum().item()
        count += len(y)
    return total / count, correct / count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.05)
    args = parser.parse_args()
    torch.manual_seed(1)
    train_loader, test_loader = get_loaders(20)
    model = Net(16)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    losses, evaluations = [], []
    for _ in range(args.epochs):
        losses += train(model, train_loader, criterion, optimizer)
        evaluations.append(evaluate(model, test_loader, criterion))
        scheduler.step()
    torch.save((model.state_dict(), losses, torch.get_rng_state()), "result.pt")
    torch.save(evaluations, "evaluations.pt")


if __name__ == "__main__":
    main()
