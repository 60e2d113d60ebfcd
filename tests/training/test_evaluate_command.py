"""The `evaluate` command, on real pictures and on drawn ones, with the default model."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import run
from benchmarks.shapes import make_shapes
from pipeline.picture import Picture
from tests.command_line.outcome import Outcome

Command = Callable[..., Outcome]
COCO128 = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "coco128"
# The fourth from the left is a child that the model does not find.
PEOPLE = [(72, 38, 131, 236), (247, 62, 308, 227), (474, 83, 519, 195)]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Run a command in an empty folder: `command("evaluate", "--data", path)`."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    def command(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["watchline", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run.main()
        captured = capsys.readouterr()
        return Outcome(int(end.value.code or 0), captured.out, captured.err)

    return command
