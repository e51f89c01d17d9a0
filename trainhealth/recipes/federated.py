"""Recipes for training on clients that keep their data."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import REGULARIZATION

FEDERATED_AVERAGING = Recipe(
    name="federated-averaging",
    title="Let each client train a few steps, and average the weights",
    keywords=("FedAvg", "clients", "local steps", "decentralized"),
    what=(
        "Clients get the server's weights, train on their own data, and send weights back; the server takes the mean, "
        "weighted with the clients' numbers of examples. Data stay where they are, and communication happens once a "
        "round instead of once a step."
    ),
    when="Data that may not leave their place, or connections that are slow against computation.",
    when_not="All the data can be in one place: ordinary training is better and simpler.",
    changes="The training loop: rounds on the server, epochs on the clients.",
    cost="More computation for the same loss. With many local steps and unlike clients the mean drifts (fedprox).",
    snippet="""
import copy

import torch

clients = list(zip(inputs.chunk(4), targets.chunk(4)))  # the data of each, which the server never sees
for _ in range(20):  # rounds
    updates = []
    for client_inputs, client_targets in clients:
        local = copy.deepcopy(model)
        local_optimizer = torch.optim.SGD(local.parameters(), lr=0.1)
        for _ in range(5):  # local steps
            loss = loss_fn(local(client_inputs), client_targets)
            local_optimizer.zero_grad()
            loss.backward()
            local_optimizer.step()
        updates.append((len(client_inputs), local.state_dict()))
    total = sum(count for count, _ in updates)
    mean = {name: sum(count / total * state[name] for count, state in updates) for name in updates[0][1]}
    model.load_state_dict(mean)
""",
    verify="The loss of the averaged model on all clients' data falls from round to round.",
    practice=(
        "The lecture prints two forms of the mean: weighted with n_k / n, and plain 1 / K. They agree where clients "
        "are equally large. Optimizers with momentum keep no state across rounds."
    ),
    sources=(
        Reference(REGULARIZATION, "FedAvg: K clients, local epochs E, batches B, and the mean weighted with n_k / n"),
        Reference(
            'McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", AISTATS 2017',
            "The algorithm",
            "https://arxiv.org/abs/1602.05629",
        ),
    ),
)

FEDPROX = Recipe(
    name="fedprox",
    title="Hold each client near the server's weights (FedProx)",
    keywords=("FedAvg", "proximal term", "client drift", "heterogeneous clients"),
    what=(
        "Clients whose data differ train towards different minima, and the mean of their weights may be good for none. "
        "FedProx adds mu / 2 times the squared distance from the server's weights to each client's loss, so that no "
        "client walks too far away in a round."
    ),
    when=(
        "Federated training, or ranks that step several times between averages, in which the clients' weights or "
        "gradients drift apart."
    ),
    when_not=(
        "Clients with like data, or one local step a round: then there is no drift, and the term only slows training "
        "down."
    ),
    changes="One term in the clients' loss. mu of 0.001 to 1, by trial; 0 is FedAvg.",
    cost="A copy of the server's weights on each client. Smaller steps a round.",
    snippet="""
import copy

mu = 0.1
server = copy.deepcopy(model)  # the weights that the round began with

for _ in range(5):  # a client's local steps
    pairs = zip(model.parameters(), server.parameters())
    distance = sum((parameter - start.detach()).square().sum() for parameter, start in pairs)
    loss = loss_fn(model(inputs), targets) + mu / 2 * distance
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    verify="The clients' weights stay closer together at the end of a round, and the server's loss falls more evenly.",
    practice=(
        "The lecture takes the variance of the clients' gradients as the measure of how unlike they are, and shows "
        "that it follows the loss. Fewer local steps a round are the other remedy."
    ),
    sources=(
        Reference(
            REGULARIZATION,
            "FedProx: F_k(w) + mu / 2 |w - w_t|^2; smaller dissimilarity (variance of gradients), better convergence",
        ),
        Reference(
            'Li et al., "Federated Optimization in Heterogeneous Networks", MLSys 2020',
            "The method and its convergence",
            "https://arxiv.org/abs/1812.06127",
        ),
    ),
)
