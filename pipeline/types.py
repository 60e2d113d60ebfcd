"""The values that travel through the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from pipeline.events import Event
from pipeline.picture import Picture, Plane
from pipeline.scene import Scene

State = Literal["connecting", "online", "stalled", "offline"]
PassReason = Literal["rate", "still", "busy"]
"""Why the detector is not given a frame: its source asks for fewer, it shows nothing new, or there
is no time for it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture and where and when it came from."""

    source_id: str
    index: int
    """Counts the frames that the source delivered from 0; gaps further on are drops."""
    pts_s: float | None
    """Presentation time in the stream, seconds; None when the stream has none."""
    captured_s: float
    """Monotonic clock when the frame's data had come from the camera, or, of a file, when it was
    decoded; seconds."""
    wall_time: datetime
    """Wall clock at the same moment, UTC."""
    picture: Picture
    sender_time: datetime | None = None
    """The camera's own clock when it took the frame, UTC; None when the stream does not tell."""
    decoded_s: float | None = None
    """Monotonic clock when the picture was ready; None where that is `captured_s`."""
    packet: int | None = None
    """`MediaPacket.number` of the packet that it was decoded from; None where nobody has asked for
    packets, or there are none."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.picture.size

    @property
    def time_s(self) -> float:
        """When it was taken by the clock of its stream, or by ours if that has none; seconds."""
        return self.captured_s if self.pts_s is None else self.pts_s

    def bgr(self) -> Plane:
        """(H, W, 3) uint8 BGR, made anew at each call."""
        return self.picture.bgr()


@dataclass(frozen=True, slots=True)
class Skipped:
    """Frames that reached a source and were given up before they became pictures."""

    reason: str
    """As it stands in the ledger, after "decode/"."""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Status:
    """What a live source has begun to do; told at each change."""

    state: State
    """`stalled` is connected but silent; `offline` is not connected. Both are tried again."""
    reason: str
    """Why it is not online, in words for people and without secrets; empty otherwise."""
    since_s: float
    """Monotonic clock at the change, seconds."""
    since: datetime
    """Wall clock at the change, UTC."""


@dataclass(frozen=True, slots=True)
class Detections:
    """The objects found in one frame, best first.

    Raises:
        ValueError: shapes or types do not fit together, or scores ascend.
    """

    boxes: npt.NDArray[np.float32]
    """(N, 4) xyxy in pixels of the frame, clipped to it."""
    scores: npt.NDArray[np.float32]
    """(N,) 0..1, descending."""
    labels: npt.NDArray[np.int64]
    """(N,) indices into `class_names`."""
    class_names: tuple[str, ...]
    """Name of each label of the model."""
    track_ids: npt.NDArray[np.int64] | None = None
    """(N,) identity across frames, 0 for an object that has none yet; None when nothing tracks."""

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.boxes.shape != (count, 4) or self.scores.ndim != 1 or self.labels.shape != (count,):
            raise ValueError(
                "expected boxes (N, 4), scores (N,), labels (N,); "
                f"got {self.boxes.shape}, {self.scores.shape}, {self.labels.shape}"
            )
        if self.boxes.dtype != np.float32 or self.scores.dtype != np.float32:
            raise ValueError("boxes and scores must be float32")
        if self.labels.dtype != np.int64:
            raise ValueError("labels must be int64")
        if self.track_ids is not None and self.track_ids.shape != (count,):
            raise ValueError(f"expected track_ids (N,), got {self.track_ids.shape}")
        if (self.scores[1:] > self.scores[:-1]).any():
            raise ValueError("scores must descend")

    @classmethod
    def none(cls) -> Self:
        """No objects."""
        boxes, scores = np.empty((0, 4), np.float32), np.empty(0, np.float32)
        return cls(boxes, scores, np.empty(0, np.int64), ())

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> Detections:
        """Only those of this score and more."""
        return self.only(slice(int(np.count_nonzero(self.scores >= score))))

    def below(self, score: float) -> Detections:
        """Only those of a lower score."""
        return self.only(slice(int(np.count_nonzero(self.scores >= score)), None))

    def only(self, rows: slice | npt.NDArray[np.bool_]) -> Detections:
        """Some of them, in the same order."""
        ids = self.track_ids
        return Detections(
            self.boxes[rows],
            self.scores[rows],
            self.labels[rows],
            self.class_names,
            None if ids is None else ids[rows],
        )

    @property
    def names(self) -> list[str]:
        """Class name of each detection."""
        return [self.class_names[label] for label in self.labels]


@dataclass(frozen=True, slots=True)
class Tracks:
    """The objects that are followed at a source, where they are in one frame.

    Raises:
        ValueError: columns differ in length.
    """

    ids: npt.NDArray[np.int64]
    """(T,) the same object keeps its own from frame to frame; 0 for one that has none yet."""
    boxes: npt.NDArray[np.float32]
    """(T, 4) xyxy in pixels of the frame, smoothed, clipped to it."""
    scores: npt.NDArray[np.float32]
    """(T,) of the latest sure detection of each, 0..1."""
    labels: npt.NDArray[np.int64]
    """(T,) indices into `class_names`."""
    seen: npt.NDArray[np.bool_]
    """(T,) whether it was detected when the detector last looked."""
    stationary: npt.NDArray[np.bool_]
    """(T,) whether it has not moved for some time."""
    class_names: tuple[str, ...]
    ended: Sequence[int] = ()
    """Ids of those that were given up at this frame; they are not among the others."""

    def __post_init__(self) -> None:
        count = len(self.ids)
        columns = (self.scores, self.labels, self.seen, self.stationary)
        if self.boxes.shape != (count, 4) or any(len(column) != count for column in columns):
            raise ValueError("expected boxes (T, 4) and every other column (T,)")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def names(self) -> list[str]:
        """Class name of each."""
        return [self.class_names[label] for label in self.labels]


@dataclass(frozen=True, slots=True)
class Lapse:
    """What has passed at a source since the last frame before this one that was inferred."""

    watched_s: float = 0.0
    """Time of its stream, seconds, without outages."""
    still_s: float = 0.0
    """How much of that had passed when a frame last showed the same as the inferred one."""
    outage: bool = False
    """Whether there was one in between."""
    evident: bool = True
    """Whether the times of the two frames alone tell what was watched."""

    @property
    def unseen_s(self) -> float:
        """For how long nobody knows what has happened, seconds."""
        return self.watched_s - self.still_s


Draw = Callable[[Frame, Detections | Tracks, Scene | None], Picture]
"""Makes the annotated picture of a frame."""


@dataclass(frozen=True, slots=True)
class Result:
    """Everything the pipeline has to say about one frame."""

    frame: Frame
    detections: Detections
    draw: Draw
    """Makes the annotated picture; called at most once."""
    events: Sequence[Event] = ()
    started_s: float | None = None
    """Monotonic clock when the detector was given the frame; None when nobody looked."""
    passed: PassReason | None = None
    """Why the frame was not inferred; its detections are then the last ones of its source."""
    lapse: Lapse = Lapse()
    """What has passed since the detector last looked; of a result that was stored and that nobody
    has timed yet, only what the times of frames do not tell."""
    tracks: Tracks | None = None
    """Where the objects are in this very frame; None where nothing tracks."""
    unsure: Detections | None = None
    """Detections that only the tracker makes use of; None where there are none."""
    scene: Scene | None = None
    """What is drawn besides the objects; None for nothing."""
    _drawn: list[Picture] = field(default_factory=list, repr=False, compare=False)
    _drawing: Lock = field(default_factory=Lock, repr=False, compare=False)

    @property
    def inferred(self) -> bool:
        """Whether the detections are of this very frame."""
        return self.passed is None

    @property
    def objects(self) -> Detections | Tracks:
        """What is drawn: where the objects are, or were found where nothing tracks."""
        return self.detections if self.tracks is None else self.tracks

    def annotated(self) -> Picture:
        """The frame with its objects drawn on; drawn for the first caller, shared by all."""
        with self._drawing:
            if not self._drawn:
                self._drawn.append(self.draw(self.frame, self.objects, self.scene))
            return self._drawn[0]
