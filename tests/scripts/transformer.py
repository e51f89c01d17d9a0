"""A small language model that computes its own loss; decay groups, clipping, losses estimated every ten steps."""

import torch
import torch.nn as nn
import torch.nn.functional as F  # noqa: N812

torch.manual_seed(4)
text = "the quick brown fox jumps over the lazy dog. " * 40
symbols = sorted(set(text))
data = torch.tensor([symbols.index(c) for c in text])
train_data, val_data = data[:1500], data[1500:]
BLOCK, WIDTH = 16, 24


def get_batch(source):
    starts = torch.randint(len(source) - BLOCK - 1, (8,)).tolist()
    x = torch.stack([source[i : i + BLOCK] for i in starts])
    return x, torch.stack([source[i + 1 : i + BLOCK + 1] for i in starts])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(len(symbols), WIDTH)
        self.position = nn.Embedding(BLOCK, WIDTH)
        self.block = nn.TransformerEncoderLayer(WIDTH, 2, 48, dropout=0.1, batch_first=True, norm_first=True)
        self.head = nn.Linear(WIDTH, len(symbols))

    def forward(self, idx, targets=None):
        mask = nn.Transformer.generate_square_subsequent_mask(BLOCK)
        x = self.token(idx) + self.position(torch.arange(BLOCK))
        logits = self.head(self.block(x, src_mask=mask, is_causal=True))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        return logits, loss


@torch.no_grad()
def estimate_loss():
    model.eval()
    losses = torch.stack([model(*get_batch(val_data))[1] for _ in range(3)])
    model.train()
    return losses.mean().item()


model = Model()
matrices = [p for p in model.parameters() if p.dim() > 1]
vectors = [p for p in model.parameters() if p.dim() < 2]
groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3)

estimates = []
for iteration in range(25):
    if iteration % 10 == 0:
        estimates.append(estimate_loss())
    x, y = get_batch(train_data)
    logits, loss = model(x, y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

torch.save((model.state_dict(), loss, torch.get_rng_state()), "result.pt")
torch.save(estimates, "evaluations.pt")
