"""Types of the fixtures in conftest.py, for annotations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.types import Detections, Frame

MakeVideo = Callable[..., Path]
MakeFrame = Callable[..., Frame]
MakeDetections = Callable[..., Detections]
