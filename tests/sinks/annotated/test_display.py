"""The window: on a real X server, and where there is none."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.picture import Picture
from pipeline.types import Detections, Result
from sinks.annotated.display import LARGEST, TITLE, Display
from tests.kinds import MakeFrame
from tests.servers.screen import Screen, eventually

COLOURS = {"red": (81, 90, 240), "green": (145, 54, 34), "blue": (41, 240, 110)}
"""As Y, U and V."""
BGR = {"red": (0, 0, 254), "green": (1, 255, 0), "blue": (255, 0, 0)}


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    with Screen(tmp_path) as screen:
        monkeypatch.setenv("DISPLAY", screen.display)
        yield screen


def show(
    display: Display,
    make_frame: MakeFrame,
    source_id: str,
    colour: str,
    size: tuple[int, int] = (480, 640),
) -> Result:
    frame = make_frame(source_id, size=size)
    grey = frame.picture
    planes = zip((grey.y, grey.u, grey.v), COLOURS[colour], strict=True)
    picture = Picture(*(np.full_like(plane, value) for plane, value in planes))
    result = Result(replace(frame, picture=picture), Detections.none(), lambda f, *_: f.picture)
    display.write(result)
    return result


def is_at(screen: Screen, colour: str, y: int, x: int) -> bool:
    return bool(np.abs(screen.pixels()[y, x].astype(int) - BGR[colour]).max() <= 3)


def is_black(screen: Screen, y: int, x: int) -> bool:
    return int(screen.pixels()[y, x].max()) == 0


def test_one_source_is_shown_in_its_own_size(screen: Screen, make_frame: MakeFrame) -> None:
    with Display(["cam"]) as display:
        show(display, make_frame, "cam", "red")
        screen.shows(TITLE, lambda: is_at(screen, "red", 470, 630))
        assert is_black(screen, 490, 300) and is_black(screen, 300, 650)
        show(display, make_frame, "cam", "blue")
        screen.shows(TITLE, lambda: is_at(screen, "blue", 470, 630))
    eventually(lambda: is_black(screen, 300, 300))


def test_a_large_source_fits_on_the_screen(screen: Screen, make_frame: MakeFrame) -> None:
    with Display(["cam"]) as display:
        show(display, make_frame, "cam", "red", (1080, 1920))
        screen.shows(TITLE, lambda: is_at(screen, "red", LARGEST[0] - 5, LARGEST[1] - 5))
        assert is_black(screen, LARGEST[0] + 5, 300)


def test_several_are_a_grid_of_which_one_can_be_chosen(
    screen: Screen, make_frame: MakeFrame
) -> None:
    height, width = LARGEST
    with Display(["a", "b", "c"]) as display:
        assert display.update({"c": "offline"}) is False
        show(display, make_frame, "a", "red", (360, 640))
        show(display, make_frame, "b", "green", (360, 640))
        screen.shows(TITLE, lambda: is_at(screen, "green", 100, width - 10))
        assert is_at(screen, "red", 100, 100)
        tile = screen.pixels()[height // 2 :, : width // 2]
        assert ((tile[..., 2] > 200) & (tile[..., 0] < 120)).any(), (
            "the third is told to be offline"
        )
        screen.press(TITLE, "2")
        screen.shows(TITLE, lambda: is_at(screen, "green", 100, 100))
        assert is_at(screen, "green", height - 10, width - 10)
        screen.press(TITLE, "9")  # there is none
        screen.shows(TITLE, lambda: is_at(screen, "red", 100, 100))
        screen.press(TITLE, "3")
        screen.shows(TITLE, lambda: not is_at(screen, "red", 100, 100))
        screen.press(TITLE, "0")
        screen.shows(TITLE, lambda: is_at(screen, "red", 100, 100))


def test_cameras_come_to_an_empty_window_and_go_again(
    screen: Screen, make_frame: MakeFrame
) -> None:
    width = LARGEST[1]
    with Display([]) as display:
        screen.shows(TITLE, lambda: int(screen.pixels()[100, 100].max()) == 24)
        show(display, make_frame, "a", "red", (360, 640))
        screen.shows(TITLE, lambda: is_at(screen, "red", 100, 100))
        show(display, make_frame, "b", "green", (360, 640))
        screen.shows(TITLE, lambda: is_at(screen, "green", 400, width - 100))
        assert display.update({"a": "removed"}) is False
        screen.shows(TITLE, lambda: is_at(screen, "green", 300, 300))


def test_pictures_follow_the_size_of_the_window(screen: Screen, make_frame: MakeFrame) -> None:
    with Display(["cam"]) as display:
        show(display, make_frame, "cam", "red", (400, 400))
        screen.shows(TITLE, lambda: is_at(screen, "red", 390, 390))
        screen.resize(TITLE, 300, 700)
        screen.shows(
            TITLE, lambda: is_at(screen, "red", 150, 350) and not is_at(screen, "red", 390, 390)
        )
        screen.shows(TITLE, lambda: int(screen.pixels()[150, 40].max()) == 24)  # beside the picture


@pytest.mark.parametrize("key", ["q", "Escape"])
def test_a_key_quits(screen: Screen, make_frame: MakeFrame, key: str) -> None:
    with Display(["cam"]) as display:
        show(display, make_frame, "cam", "red")
        screen.shows(TITLE, lambda: is_at(screen, "red", 100, 100))
        screen.press(TITLE, "x")
        assert display.update({}) is False
        screen.press(TITLE, key)
        eventually(lambda: display.update({}))
        eventually(lambda: is_black(screen, 100, 100))
        show(display, make_frame, "cam", "blue")  # which nobody sees


def test_closing_the_window_quits(screen: Screen, make_frame: MakeFrame) -> None:
    with Display(["cam"]) as display:
        show(display, make_frame, "cam", "red")
        screen.shows(TITLE, lambda: is_at(screen, "red", 100, 100))
        screen.close(TITLE)
        eventually(lambda: display.update({}))


def test_only_what_is_shown_is_drawn(screen: Screen, make_frame: MakeFrame) -> None:
    with Display(["a", "b"]) as display:
        show(display, make_frame, "a", "red")
        screen.shows(TITLE, lambda: is_at(screen, "red", 300, 300))
        screen.press(TITLE, "1")
        screen.shows(TITLE, lambda: is_at(screen, "red", 300, LARGEST[1] // 2 + 50))
        drawn = []
        unseen = show(display, make_frame, "b", "green")
        seen = show(display, make_frame, "a", "blue")
        screen.shows(TITLE, lambda: is_at(screen, "blue", 300, LARGEST[1] // 2 + 50))
        drawn = [len(result._drawn) for result in (unseen, seen)]
    assert drawn == [0, 1]


def test_a_screen_that_goes_away_takes_only_the_window(
    screen: Screen, make_frame: MakeFrame, caplog: pytest.LogCaptureFixture
) -> None:
    with Display(["cam"]) as display:
        show(display, make_frame, "cam", "red")
        screen.shows(TITLE, lambda: is_at(screen, "red", 100, 100))
        assert screen.process is not None
        with caplog.at_level(logging.WARNING):
            screen.process.kill()
            eventually(lambda: bool(caplog.records))
        show(display, make_frame, "cam", "blue")
        assert display.update({}) is False
    assert caplog.messages == ["display: the window is gone; the run goes on without it"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no DISPLAY")
@pytest.mark.parametrize(
    ("screen_name", "fault"),
    [
        (None, "there is no screen: DISPLAY is not set"),
        (":4711", "the screen DISPLAY=:4711 does not answer, or OpenCV was built without windows"),
    ],
)
def test_without_a_screen_it_says_so(
    monkeypatch: pytest.MonkeyPatch, screen_name: str | None, fault: str
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    if screen_name is not None:
        monkeypatch.setenv("DISPLAY", screen_name)
    with pytest.raises(ConfigError) as caught:
        Display(["cam"]).__enter__()
    assert str(caught.value) == f"display: no window can be opened: {fault}; run without a display"
    assert not [thread for thread in threading.enumerate() if thread.name == "display window"]


def test_a_screen_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.annotated.display.START_S", 0.2)
    with pytest.raises(ConfigError, match="no window can be opened"):
        Display(["cam"], [sys.executable, "-c", "import sys; sys.stdin.read()"]).__enter__()


def test_a_window_that_hangs_holds_nothing_up(make_frame: MakeFrame) -> None:
    hangs = "import time; print('ready\\n99 99 -1', flush=True); time.sleep(1000)"
    with Display(["cam"], [sys.executable, "-c", hangs]) as display:
        for _ in range(50):  # more than fits into a pipe
            show(display, make_frame, "cam", "red")
        assert display.update({}) is False
