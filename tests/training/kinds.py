"""Types of the fixtures in conftest.py, for annotations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

MakePicture = Callable[..., Path]
MakeDataset = Callable[..., Path]
