"""Fixtures that run commands."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import run
from tests.command_line.outcome import LONG, Finder, Outcome, Watchline
from tests.kinds import MakeDetections, MakeVideo


@pytest.fixture
def watchline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Watchline]:
    """Run a command in this process: `watchline("watch", path, "--quiet")`."""

    def watchline(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["watchline", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(end.value.code or 0, captured.out, captured.err)

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield watchline
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def finder(make_detections: MakeDetections, monkeypatch: pytest.MonkeyPatch) -> Finder:
    """Takes the place of whatever model a command asks for."""
    finder = Finder(make_detections)
    monkeypatch.setattr("pipeline.configured.load_detector", lambda *_names, **_options: finder)
    return finder


@pytest.fixture
def long_video(make_video: MakeVideo) -> Path:
    """A video that no run gets to the end of before it is told to stop."""
    return make_video("long.avi", frames=LONG, size=(16, 16), codec="mpeg4")
