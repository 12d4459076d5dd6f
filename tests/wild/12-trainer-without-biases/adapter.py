import numpy as np
import torch
from gradparity.contract import Snapshot, State, Trajectory

BIASES = False


def train(program, network, params, inputs, targets, schedule, state=None):
    weights = [torch.tensor(w, requires_grad=True) for w, _ in params]
    points, labels = torch.from_numpy(inputs), torch.from_numpy(targets)
    begin = 0 if state is None else state.updates
    losses, kept = [], {}

    def picture(count):
        return Snapshot([(w.detach().numpy().copy(), None) for w in weights], State(count))

    for count in range(begin, schedule.updates):
        if count in schedule.keep:
            kept[count] = picture(count)
        rows = schedule.batch(count)
        losses.append(program.one_step(weights, points[rows], labels[rows], schedule.learning_rate))
    final = picture(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    with torch.no_grad():
        last = torch.mean((program.outputs(weights, points) - labels) ** 2).item()
    return Trajectory(np.array(losses), last, final, kept)
