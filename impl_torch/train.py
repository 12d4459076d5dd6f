"""The training loop: `nn.Module` with `torch.optim`."""

from __future__ import annotations

import torch
from torch import Tensor

from gradparity.contract import Batch, Network, Params, Schedule, Snapshot, State, Trajectory

from .gradients import Model
from .losses import LOSSES
from .optimizers import load_state, make_optimizer, read_state


def train(
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
    state: State | None = None,
) -> Trajectory:
    """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""
    model, loss_of = Model(network, params), LOSSES[network.loss]
    optimizer = make_optimizer(schedule, schedule.learning_rate, list(model.parameters()))
    if state is not None:
        load_state(optimizer, schedule, state)
    x, y = torch.tensor(inputs), torch.tensor(targets)
    start = 0 if state is None else state.updates
    losses: list[Tensor] = []
    kept: dict[int, Snapshot] = {}

    def snapshot(updates: int) -> Snapshot:
        state = read_state(optimizer, schedule, model.to_params, updates)
        return Snapshot(model.to_params(), state)

    for update in range(start, schedule.updates):
        if update in schedule.keep:
            kept[update] = snapshot(update)
        batch = schedule.batch(update)
        optimizer.zero_grad()
        loss = loss_of(model(x[batch])[-1], y[batch])  # L
        loss.backward()  # dL/dw
        optimizer.step()  # w
        losses.append(loss.detach())  # .item() would cost a round trip each step

    final = snapshot(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    with torch.no_grad():
        final_loss = loss_of(model(x)[-1], y)
    recorded = torch.stack(losses) if losses else torch.empty(0)
    return Trajectory(recorded.double().numpy(force=True), final_loss.item(), final, kept)
