"""picture.jpg and stream.mjpg, from a real server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from sinks.dashboard.live.live_view import MOST_VIEWERS, LiveView
from sinks.dashboard.live.moving import MovingPicture
from sinks.dashboard.live.turns import Seat
from sinks.dashboard.live.view import View
from tests.kinds import MakeFrame
from tests.sinks.dashboard.live.pages import (
    PATIENCE_S,
    Caller,
    Page,
    decoded,
    live_threads,
    result_of,
    serving,
)

CAMERAS = ("gate", "yard")


@pytest.fixture
def page(caplog: pytest.LogCaptureFixture) -> Iterator[Page]:
    """A server that must have nothing to complain of."""
    live = LiveView(lambda name: name in CAMERAS)
    with caplog.at_level(logging.WARNING), serving(live) as served:
        yield served
    assert not caplog.records
    assert not live_threads()


def get(page: Page, path: str) -> httpx.Response:
    return httpx.get(f"http://{page.address}/api/cameras/{path}", timeout=PATIENCE_S)


@contextmanager
def streamed(page: Page, path: str) -> Iterator[Iterator[bytes]]:
    """The JPEGs of a stream, each given out once the whole of it has come."""
    address = f"http://{page.address}/api/cameras/{path}"
    with httpx.stream("GET", address, timeout=PATIENCE_S) as response:
        assert response.status_code == 200
        kind, _, boundary = response.headers["content-type"].partition("; boundary=")
        assert kind == "multipart/x-mixed-replace"
        yield parts(response.iter_raw(), f"--{boundary}\r\n".encode())


def parts(chunks: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """The pictures between boundaries; the last boundary has come with the picture before."""
    data = b""
    for chunk in chunks:
        data += chunk
        while data.count(boundary) > 1:
            before, part, data = data.split(boundary, 2)
            assert before in (b"", b"\r\n")
            data = boundary + data
            head, _, body = part.partition(b"\r\n\r\n")
            jpeg = body.removesuffix(b"\r\n")
            assert head.splitlines() == [
                b"Content-Type: image/jpeg",
                b"Content-Length: %d" % len(jpeg),
            ]
            yield jpeg


def test_the_latest_picture_in_the_width_that_is_asked_for(
    page: Page, make_frame: MakeFrame
) -> None:
    page.live.write(result_of(make_frame("gate", 0, (720, 1280))))
    page.live.write(result_of(make_frame("gate", 1, (720, 1280)), luma=126))
    response = get(page, "gate/picture.jpg?width=600")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/jpeg"
    picture = decoded(response.content)
    assert picture.shape == (360, 640, 3)
    assert abs(int(picture[0, 0, 0]) - 128) <= 2
    assert decoded(get(page, "gate/picture.jpg").content).shape == (720, 1280, 3)


@pytest.mark.parametrize("path", ["nobody/picture.jpg", "nobody/stream.mjpg", "..%2F/picture.jpg"])
def test_a_camera_that_does_not_exist_is_not_found(
    page: Page, path: str, make_frame: MakeFrame
) -> None:
    page.live.write(result_of(make_frame("nobody")))  # removed, and not forgotten yet
    response = get(page, path)
    assert response.status_code == 404
    assert isinstance(response.json()["detail"], str)


def test_a_camera_without_a_picture_says_so(page: Page) -> None:
    response = get(page, "yard/picture.jpg")
    assert response.status_code == 404
    assert response.json() == {"detail": "the camera has delivered no picture yet"}


@pytest.mark.parametrize(
    "path",
    [
        *(f"gate/picture.jpg?width={width}" for width in ("15", "3841", "NaN", "6e2", "-640", "")),
        *(f"gate/stream.mjpg?fps={fps}" for fps in ("0", "31", "NaN", "inf", "1e999", "")),
    ],
)
def test_what_cannot_be_asked_for_is_refused(page: Page, path: str) -> None:
    assert get(page, path).status_code == 422


def test_a_stream_waits_for_the_first_picture_and_shows_each_new_one(
    page: Page, make_frame: MakeFrame
) -> None:
    with streamed(page, "gate/stream.mjpg?fps=30&width=320") as pictures:
        for luma in (60, 126, 200):
            page.live.write(result_of(make_frame("gate", size=(360, 640)), luma=luma))
            picture = decoded(next(pictures))
            assert picture.shape == (180, 320, 3)
            assert abs(int(picture[0, 0, 0]) - (luma - 16) * 255 / 219) <= 2


def test_a_stream_ends_with_the_server(page: Page, make_frame: MakeFrame) -> None:
    with streamed(page, "gate/stream.mjpg") as pictures:
        page.live.write(result_of(make_frame("gate")))
        next(pictures)
        page.live.close()
        assert list(pictures) == []


def test_a_stream_ends_with_the_session_and_with_the_camera(make_frame: MakeFrame) -> None:
    cameras, caller = {"gate", "yard"}, Caller()
    live = LiveView(lambda name: name in cameras)
    with serving(live, caller, recheck_s=0.01) as page:
        with streamed(page, "gate/stream.mjpg") as pictures:
            live.write(result_of(make_frame("gate")))
            next(pictures)
            cameras.remove("gate")
            assert list(pictures) == []
        with streamed(page, "yard/stream.mjpg") as pictures:
            live.write(result_of(make_frame("yard")))
            next(pictures)
            caller.valid = False
            assert list(pictures) == []


def test_one_viewer_too_many_is_told_so(page: Page, make_frame: MakeFrame) -> None:
    page.live.write(result_of(make_frame("gate")))
    seats = [Seat(lambda _: None, lambda: None) for _ in range(MOST_VIEWERS)]
    for seat in seats:
        page.live.enter(seat)
    for path in ("gate/stream.mjpg", "gate/picture.jpg"):
        response = get(page, path)
        assert response.status_code == 429
        assert "try again" in response.json()["detail"]
    page.live.leave(seats[0])
    assert get(page, "gate/picture.jpg").status_code == 200
    for seat in seats:
        page.live.leave(seat)


def test_for_a_client_that_takes_nothing_nothing_is_made(make_frame: MakeFrame) -> None:
    live = LiveView(lambda _: True)
    bodies: list[bytes] = []

    async def test() -> None:
        taken, sent, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body" and message["body"]:
                bodies.append(message["body"])
                sent.set()
                await taken.wait()

        async def receive() -> MutableMapping[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        response = MovingPicture(live, View("gate", 320, False), 30.0)
        serving = asyncio.ensure_future(response({"type": "http"}, receive, send))
        live.write(result_of(make_frame("gate", 0), luma=20))
        await sent.wait()
        sent.clear()
        for luma in range(30, 230):
            live.write(result_of(make_frame("gate", luma), luma=luma))
        taken.set()
        await sent.wait()
        gone.set()
        await serving

    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))
    live.close()
    first, second = bodies
    assert b"\r\n\r\n\xff\xd8" in first
    picture = decoded(second.partition(b"\r\n\r\n")[2])
    assert abs(int(picture[0, 0, 0]) - (229 - 16) * 255 / 219) <= 2, "the newest, no other"


def test_a_client_that_takes_nothing_holds_up_no_end(make_frame: MakeFrame) -> None:
    live = LiveView(lambda _: True)

    async def test() -> None:
        stuck = asyncio.Event()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                stuck.set()
                await asyncio.Event().wait()

        async def receive() -> MutableMapping[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError("never")

        response = MovingPicture(live, View("gate", 320, False), 30.0)
        serving = asyncio.ensure_future(response({"type": "http"}, receive, send))
        live.write(result_of(make_frame("gate")))
        await stuck.wait()
        live.close()
        await serving

    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))
    assert not live_threads()
