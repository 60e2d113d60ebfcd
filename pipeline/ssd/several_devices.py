"""`SeveralDevices`: cameras spread over GPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.ssd.engine import SsdDetector
from pipeline.types import Detections, Frame


class SeveralDevices:
    """The same model on several devices; a `pipeline.protocols.Detector`. One thread may call it.

    Each source stays with the device that had the fewest when its first frame came.

    Args:
        detectors: one a device, all of the same model.
    """

    def __init__(self, detectors: Sequence[SsdDetector]) -> None:
        self._detectors = detectors
        self._device_of: dict[str, int] = {}
        self._pool = ThreadPoolExecutor(len(detectors), "device")
        self.class_names = detectors[0].class_names
        self.plan = detectors[0].plan

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """Return one `Detections` for each frame, in order; boxes in pixels of the frame."""
        shares: dict[int, list[int]] = {}
        for index, frame in enumerate(frames):
            shares.setdefault(self._device(frame.source_id), []).append(index)
        pending = [
            (share, self._pool.submit(self._detectors[device].detect, [frames[i] for i in share]))
            for device, share in shares.items()
        ]
        found: dict[int, Detections] = {}
        for share, future in pending:
            found.update(zip(share, future.result(), strict=True))
        return [found[index] for index in range(len(frames))]

    def _device(self, source_id: str) -> int:
        if source_id not in self._device_of:
            sources = Counter(self._device_of.values())
            self._device_of[source_id] = min(
                range(len(self._detectors)), key=lambda device: sources[device]
            )
        return self._device_of[source_id]
