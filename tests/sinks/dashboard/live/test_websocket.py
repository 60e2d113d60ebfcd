"""`/api/live` as a page sees it: a real server and a real client."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from sinks.dashboard.live.live_view import MOST_VIEWERS, LiveView
from tests.kinds import MakeFrame
from tests.sinks.dashboard.live.pages import (
    PATIENCE_S,
    SCENE,
    Caller,
    Page,
    decoded,
    eventually,
    live_threads,
    receive,
    result_of,
    say,
    serving,
)


@pytest.fixture
def page(caplog: pytest.LogCaptureFixture) -> Iterator[Page]:
    """A server that must have nothing to complain of."""
    live = LiveView(lambda name: name in ("gate", "yard"))
    with caplog.at_level(logging.WARNING), serving(live) as served:
        yield served
    assert not caplog.records
    assert not live_threads()


def close_code(socket: ClientConnection) -> int:
    """With which the server closes."""
    with pytest.raises(ConnectionClosed):
        while True:
            socket.recv(timeout=PATIENCE_S)
    assert socket.close_code is not None
    return socket.close_code


def test_a_picture_comes_with_what_is_told_of_it(page: Page, make_frame: MakeFrame) -> None:
    with page.talk() as socket:
        say(socket, watch=[{"camera": "gate", "width": 400, "fps": 10, "rules": False}])
        now_s = page.live.clock.monotonic()
        frame = make_frame("gate", 7, (720, 1280), captured_s=now_s - 5)
        page.live.write(replace(result_of(frame, luma=126), scene=SCENE))
        header, jpeg = receive(socket)
        age_s = header.pop("age_s")
        assert 5 <= age_s < 5 + PATIENCE_S
        assert header == {
            "camera": "gate",
            "index": 7,
            "wall_time": "2026-01-01T10:00:00.000Z",
            "width": 480,
            "height": 270,
            "frame_width": 1280,
            "frame_height": 720,
            "objects": 0,
            "zones": [{"name": "yard", "occupancy": 3, "crowded": True}],
            "lines": [{"name": "kerb", "count_in": 2, "count_out": 1}],
        }
        picture = decoded(jpeg)
        assert picture.shape == (270, 480, 3)
        assert abs(int(picture[200, 400, 0]) - 128) <= 2, "luma 126 of 16..235"


def test_only_the_newest_follows_an_acknowledgement(page: Page, make_frame: MakeFrame) -> None:
    with page.talk() as socket:
        say(socket, watch=[{"camera": "gate", "fps": 30}, {"camera": "yard", "fps": 30}])
        page.live.write(result_of(make_frame("gate", 0)))
        assert receive(socket)[0]["index"] == 0
        for index in range(1, 20):
            page.live.write(result_of(make_frame("gate", index)))
        page.live.write(result_of(make_frame("yard", 0)))
        assert receive(socket)[0]["camera"] == "yard", "the gate's was not acknowledged"
        say(socket, ack="gate")
        header, _ = receive(socket)
        assert (header["camera"], header["index"]) == ("gate", 19)


def test_what_is_watched_can_be_replaced_and_unknown_cameras_may_come_later(
    page: Page, make_frame: MakeFrame
) -> None:
    with page.talk() as socket:
        say(socket, watch=[{"camera": "later"}])
        say(socket, watch=[{"camera": "yard"}, {"camera": "later"}])
        page.live.write(result_of(make_frame("gate", 1)))
        page.live.write(result_of(make_frame("yard", 2)))
        assert receive(socket)[0]["camera"] == "yard"
        page.live.write(result_of(make_frame("later", 3)))
        assert receive(socket)[0]["camera"] == "later"
        say(socket, watch=[])
        say(socket, ack="yard")
        say(socket, watch=[{"camera": "gate"}])
        assert receive(socket)[0]["camera"] == "gate"


@pytest.mark.parametrize(
    "text",
    ["watch", '{"watch": [{"camera": "gate", "fps": NaN}]}', '{"ack": "gate", "and": 1}', "[]"],
)
def test_a_message_that_is_not_understood_ends_it(page: Page, text: str) -> None:
    with page.talk() as socket:
        socket.send(text)
        assert close_code(socket) == 4400
        assert socket.close_reason


def test_ten_thousand_cameras_end_it(page: Page) -> None:
    with page.talk() as socket:
        say(socket, watch=[{"camera": f"cam{number}"} for number in range(10_000)])
        assert close_code(socket) == 4400


def test_a_message_of_bytes_ends_it(page: Page) -> None:
    with page.talk() as socket:
        socket.send(json.dumps({"watch": []}).encode())
        assert close_code(socket) == 4400


def test_one_viewer_too_many_is_told_so(page: Page) -> None:
    with ExitStack() as entered:
        for _ in range(MOST_VIEWERS):
            say(entered.enter_context(page.talk()), watch=[])
        with page.talk() as socket:
            assert close_code(socket) == 4429


def test_a_client_that_goes_without_a_word_leaves_its_place(page: Page) -> None:
    with page.talk() as socket:
        say(socket, watch=[{"camera": "gate"}])
        eventually(lambda: bool(live_threads()))
        socket.socket.close()
    eventually(lambda: not live_threads())


def test_it_ends_with_the_session(make_frame: MakeFrame) -> None:
    caller, live = Caller(), LiveView(lambda _: True)
    with serving(live, caller, recheck_s=0.01) as page, page.talk() as socket:
        say(socket, watch=[{"camera": "gate"}])
        live.write(result_of(make_frame("gate", 0)))
        assert receive(socket)[0]["index"] == 0, "valid until now"
        caller.valid = False
        assert close_code(socket) == 4401


def test_it_ends_with_the_server(page: Page, make_frame: MakeFrame) -> None:
    with page.talk() as socket:
        say(socket, watch=[{"camera": "gate"}])
        page.live.write(result_of(make_frame("gate", 0)))
        receive(socket)
        page.live.close()
        assert close_code(socket) == 1001
