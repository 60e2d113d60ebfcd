"""A model's int8 form: made from frames of the user's own, and what it loses against fp32."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError, ModelError
from pipeline.protocols import Detector
from pipeline.ssd.model import SSD
from pipeline.ssd.preprocess import Preprocessor
from pipeline.ssd.zoo import ModelSpec
from pipeline.training.datasets.example import Dataset, Example
from pipeline.training.voc_ap import voc_average_precision
from pipeline.types import Detections, Frame
from pipeline.whole_file import write_whole

HELD_OUT = 3
"""Every so manieth frame is kept from the calibration, to measure what it loses."""
SURE_SCORE = 0.3
"""What fp32 finds with this score or more stands for the truth where nobody has annotated it."""

_BATCH_SIZE = 8


@dataclass(frozen=True, slots=True)
class Loss:
    """What an int8 form loses."""

    loss_points: float
    """Points (hundredths) of average precision at IoU 0.5."""
    objects: int
    """How many objects that was measured on."""
    against: str
    """"fp32", whose sure detections stood for the truth, or "annotations"."""


def make_int8(
    model: SSD,
    spec: ModelSpec,
    frames: Sequence[Frame],
    cache: Path,
) -> None:
    """Make the int8 form of a network and keep it in the cache.

    Post-training quantisation by NNCF: ranges of values are those that the frames give rise to.

    Args:
        model: the network.
        spec: how it is fed.
        frames: some hundred, of what it is going to see.
        cache: of the weights; see `networks.Plan`.
    Raises:
        ConfigError: a package is missing.
        ModelError: the cache cannot be used.
    """
    nncf = _nncf()
    from pipeline.ssd.openvino_networks import openvino_model, save_form

    form = openvino_model(model, spec.size, cache)
    preprocess = Preprocessor(spec)

    def to_input(frame: Frame) -> object:
        return preprocess([frame.picture]).permute(0, 2, 3, 1).contiguous().numpy()

    with redirect_stdout(sys.stderr):  # its progress bars
        quantised = nncf.quantize(
            form, nncf.Dataset(list(frames), to_input), subset_size=len(frames)
        )
    save_form(quantised, cache / "int8.xml")


def require_packages() -> None:
    """Make sure that what quantising needs is there.

    Raises:
        ConfigError: a package is missing.
    """
    _nncf()


def split(frames: Sequence[Frame]) -> tuple[list[Frame], list[Frame]]:
    """Frames to calibrate with, and others, spread among them, to measure on.

    Raises:
        ConfigError: there are too few.
    """
    held_out = list(frames[HELD_OUT - 1 :: HELD_OUT])
    if not held_out:
        raise ConfigError(f"{len(frames)} frames are too few to quantise with; give a longer video")
    return [frame for index, frame in enumerate(frames) if (index + 1) % HELD_OUT], held_out


def find_truth(fp32: Detector, frames: Sequence[Frame]) -> Dataset:
    """What stands for the truth on frames that nobody annotated: what fp32 is sure of.

    Args:
        fp32: a detector in fp32.
        frames: not those of the calibration.
    Raises:
        ModelError: it finds nothing.
    """
    truth = [_sure(found) for found in _detect(fp32, frames)]
    if not any(map(len, truth)):
        raise ModelError(
            f"the model finds nothing in {len(frames)} frames, so what int8 loses cannot be "
            "measured; give video with objects in it"
        )
    examples = tuple(
        Example(Path(str(index)), frame.size, found.boxes, found.labels, np.zeros(len(found), bool))
        for index, (frame, found) in enumerate(zip(frames, truth, strict=True))
    )
    return Dataset(truth[0].class_names, examples)


def loss_against_fp32(truth: Dataset, int8: Detector, frames: Sequence[Frame]) -> Loss:
    """Measure what int8 loses on frames that nobody annotated.

    Args:
        truth: of `find_truth`.
        int8: takes unlikely detections too.
        frames: those of the truth.
    """
    measured = voc_average_precision(truth, _detect(int8, frames))
    assert measured.ap_area is not None
    return Loss(round(100 * (1 - measured.ap_area), 3), _objects(truth), "fp32")


def loss_on_annotations(
    dataset: Dataset, before: Sequence[Detections], after: Sequence[Detections]
) -> Loss:
    """Measure what int8 loses on annotated pictures.

    Args:
        dataset: the pictures.
        before: found by fp32 in each picture, unlikely detections too.
        after: found by int8.
    """
    fp32_ap, int8_ap = (
        voc_average_precision(dataset, found).ap_area or 0.0 for found in (before, after)
    )
    return Loss(round(100 * (fp32_ap - int8_ap), 3), _objects(dataset), "annotations")


def keep_loss(cache: Path, loss: Loss) -> None:
    """Keep the loss beside the int8 form, where the choice of an engine looks.

    Raises:
        ConfigError: the cache cannot be written.
    """
    write_whole(cache / "int8.json", json.dumps(asdict(loss)) + "\n")


def _nncf() -> Any:
    # Set before the import: NNCF reports its use over the network unless it runs in CI.
    os.environ.setdefault("NNCF_CI", "1")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # of a missing GPU
    try:
        import nncf
        import openvino  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "int8 needs the packages openvino and nncf: pip install -e '.[openvino]'"
        ) from error
    nncf.set_log_level(logging.ERROR)
    return nncf


def _detect(detector: Detector, frames: Sequence[Frame]) -> list[Detections]:
    found: list[Detections] = []
    for start in range(0, len(frames), _BATCH_SIZE):
        found += detector.detect(frames[start : start + _BATCH_SIZE])
    return found


def _sure(found: Detections) -> Detections:
    count = int((found.scores >= SURE_SCORE).sum())  # they descend
    return Detections(
        found.boxes[:count], found.scores[:count], found.labels[:count], found.class_names
    )


def _objects(dataset: Dataset) -> int:
    return sum(int((~example.ignored).sum()) for example in dataset.examples)
