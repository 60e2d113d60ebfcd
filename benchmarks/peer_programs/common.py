"""What the loops that people write have in common: model, drawing, recording, lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.peer_programs.protocol import Job, Work
from benchmarks.seeded import seeded_model
from pipeline.ssd.torchvision_import import COCO_CLASS_NAMES

MODEL = "ssdlite320_mobilenet_v3_large"
CLASS_NAMES = ("background", *COCO_CLASS_NAMES)
ENCODER_OPTIONS = {"preset": "superfast", "crf": "23", "bf": "0"}
KEYFRAME_INTERVAL = 50
_COLOUR = (0, 200, 0)

Bgr = npt.NDArray[np.uint8]
"""(H, W, 3) picture."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object."""

    name: str
    score: float
    box: tuple[float, float, float, float]
    """xyxy in pixels."""


def torchvision_model(job: Job) -> Any:
    """torchvision's model with the checkpoint of the job."""
    model = seeded_model(MODEL)
    model.load_state_dict(torch.load(job.checkpoint, weights_only=True))
    return model.eval()


def to_found(
    labels: Iterable[int], scores: Iterable[float], boxes: Iterable[Sequence[float]]
) -> list[Found]:
    """Objects of columns; labels count from the background, 0."""
    return [
        Found(CLASS_NAMES[label], score, (box[0], box[1], box[2], box[3]))
        for label, score, box in zip(labels, scores, boxes, strict=True)
    ]


def draw(bgr: Bgr, found: Iterable[Found]) -> None:
    """Draw boxes with names and scores."""
    for one in found:
        x1, y1, x2, y2 = map(round, one.box)
        cv2.rectangle(bgr, (x1, y1), (x2, y2), _COLOUR, 4)
        text = f"{one.name} {one.score:.2f}"
        cv2.putText(bgr, text, (x1, y1 - 6), cv2.FONT_HERSHEY_SIMPLEX, 1.0, _COLOUR, 2)


class H264File:
    """Encodes BGR pictures with PyAV, as our own recorder is set: the same preset and rate."""

    def __init__(self, path: Path, size: tuple[int, int], threads: int) -> None:
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", 25, ENCODER_OPTIONS)
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.gop_size = KEYFRAME_INTERVAL
        self._stream.codec_context.thread_type = "FRAME"
        self._stream.codec_context.thread_count = threads

    def __enter__(self) -> Self:
        return self

    def write(self, bgr: Bgr) -> None:
        """Encode one picture."""
        frame = av.VideoFrame.from_ndarray(bgr, format="bgr24")
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, *_: object) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


class Output:
    """The JSON lines of a run and, if they are wanted, its annotated pictures."""

    def __init__(self, job: Job, work: Work, size: tuple[int, int]) -> None:
        self._folder, self._size, self._threads = Path(job.folder), size, job.threads
        self._annotate = work == "annotated"
        self._entered = ExitStack()
        self.frames = self.detections = 0

    def __enter__(self) -> Self:
        self._lines = self._entered.enter_context(open_lines(self._folder))
        if self._annotate:
            video = H264File(self._folder / "annotated.mp4", self._size, self._threads)
            self._video = self._entered.enter_context(video)
        return self

    def write(self, bgr: Bgr, found: list[Found]) -> None:
        """Write a frame; the picture may be drawn on."""
        write_line(self._lines, self.frames, found)
        if self._annotate:
            draw(bgr, found)
            self._video.write(bgr)
        self.frames += 1
        self.detections += len(found)

    def __exit__(self, *_: object) -> None:
        self._entered.close()


def open_lines(folder: Path) -> IO[str]:
    """The file of JSON lines in a folder."""
    return (folder / "detections.jsonl").open("w")


def write_line(lines: IO[str], index: int, found: Iterable[Found]) -> None:
    """Write the objects of a frame."""
    objects = [
        {
            "label": one.name,
            "score": round(one.score, 4),
            "box": [round(value, 2) for value in one.box],
        }
        for one in found
    ]
    lines.write(json.dumps({"index": index, "objects": objects}) + "\n")


def captured(job: Job) -> Iterator[Bgr]:
    """Every picture of the video, by OpenCV."""
    capture = cv2.VideoCapture(job.video)
    try:
        while True:
            ok, bgr = capture.read()
            if not ok:
                return
            yield np.asarray(bgr, np.uint8)
    finally:
        capture.release()


def video_size(job: Job) -> tuple[int, int]:
    """(height, width) of the video."""
    with av.open(job.video) as container:
        stream = container.streams.video[0]
        return stream.height, stream.width
