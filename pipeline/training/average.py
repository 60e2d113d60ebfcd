"""`AveragedModel`: a running average of the weights, which detects better than the last ones."""

from __future__ import annotations

import copy

from torch import Tensor

from pipeline.ssd.model import SSD


class AveragedModel:
    """The exponential moving average of a model's weights and of its buffers.

    Args:
        model: starts the average; its tensors must stay where they are.
        decay: how much of the average an update keeps after many updates, 0..1. Of the first ones
            it keeps less, so that the start is soon forgotten.
    """

    def __init__(self, model: SSD, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay
        averaged, current = self.model.state_dict(), model.state_dict()
        self._pairs: list[tuple[Tensor, Tensor]] = [
            (averaged[key], current[key]) for key in current
        ]

    def update(self, updates: int) -> None:
        """Move the average towards the model's present weights.

        Args:
            updates: how many there were before.
        """
        share = 1 - min(self._decay, (1 + updates) / (10 + updates))
        for averaged, current in self._pairs:
            if averaged.is_floating_point():
                averaged.lerp_(current.detach(), share)
            else:  # batch norm's count of batches
                averaged.copy_(current)
