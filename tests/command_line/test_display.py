"""The window of `watch`."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sinks.annotated.display import TITLE
from tests.command_line.outcome import Watchline, complaint, count_frames
from tests.servers.screen import Screen


@pytest.mark.usefixtures("finder")
def test_q_ends_a_run_cleanly(
    watchline: Watchline, long_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.mp4"
    with Screen(tmp_path) as screen:
        monkeypatch.setenv("DISPLAY", screen.display)
        hand = threading.Thread(target=screen.press, args=(TITLE, "q"))
        hand.start()
        source = f"{long_video}?loop"
        outcome = watchline("watch", source, "--display", "--record", out, "--quiet")
        hand.join()
    assert outcome.code == 0
    assert outcome.summary["captured"] == outcome.summary["inferred"] == count_frames(out)


@pytest.mark.usefixtures("finder")
def test_without_a_screen_nothing_is_touched(
    watchline: Watchline, long_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    out = tmp_path / "r.mp4"
    out.write_bytes(b"of another run")
    outcome = watchline("watch", long_video, "--display", "--record", out, "--quiet")
    assert outcome.code == 78
    assert complaint(outcome).startswith("display: no window can be opened: there is no screen")
    assert out.read_bytes() == b"of another run"
