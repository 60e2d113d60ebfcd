"""The steps on either side of the network, each by itself.

`SsdDetector` does all three in one call. This builds the same steps from the same parts, so that
they can be measured alone; the network is what remains of the whole call, whichever engine runs it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.config import Config
from pipeline.models import architecture_of, pull_weights
from pipeline.picture import Picture
from pipeline.ssd.device import find_devices
from pipeline.ssd.device_preprocess import make_preprocessor
from pipeline.ssd.fuse import fuse
from pipeline.ssd.postprocess import postprocess
from pipeline.ssd.weights import load_model


class DetectorParts:
    """Preprocessing and post-processing of a configured model, and outputs to process.

    Args:
        config: model, weights, device and score.
    Raises:
        ModelError: unknown model or device, or wrong, damaged or missing weights.
        FetchError: the weights are neither in the cache nor to be had.
    """

    def __init__(self, config: Config) -> None:
        weights = config.weights or pull_weights(config.model, lambda _done, _total: None)
        loaded = load_model(weights, architecture_of(config.model))
        self._spec = loaded.info.spec
        self._score = config.detector_score
        self._device = find_devices(config.device)[0]
        self._network = fuse(loaded.model, self._spec.size).to(self._device)
        self._default_boxes = loaded.model.default_boxes.to(self._device)
        self._preprocess = make_preprocessor(self._spec, self._device)
        shape = (1, 3, self._spec.size, self._spec.size)
        self._input = torch.empty(shape, device=self._device, memory_format=torch.channels_last)

    def make_input(self, picture: Picture) -> Tensor:
        """The network's input for one picture, (1, 3, S, S); the same memory at each call."""
        return self._preprocess([picture], out=self._input)

    @torch.inference_mode()
    def predict(self, picture: Picture) -> tuple[Tensor, Tensor]:
        """(deltas, logits) for one picture, as post-processing gets them, in fp32."""
        deltas, logits = self._network(self.make_input(picture))
        return deltas, logits

    @torch.inference_mode()
    def read(self, predictions: Sequence[tuple[Tensor, Tensor]]) -> int:
        """Post-process outputs one by one; how many there were."""
        for deltas, logits in predictions:
            found = postprocess(
                deltas,
                logits,
                self._default_boxes,
                scoring=self._spec.scoring,
                score_threshold=self._score,
                suppression=self._spec.suppression,
            )
            found.counts.tolist()  # a GPU is done only when its answer is here
        return len(predictions)
