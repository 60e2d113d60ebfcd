"""A street camera, a browser, and runs whose page it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import pytest
from av.bitstream import BitStreamFilterContext
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.fetch import DEMO_CLIP
from tests.conftest import _fetched
from tests.dashboard.served import Served
from tests.servers.processes import binary
from tests.servers.rtsp import RtspServer

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""Chromium as root, without a graphics card, which talks to nobody but us."""
STREET_FPS = 10

Serve = Callable[..., Served]
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")  # its event loop runs in this thread: other tests have their own
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    chromium = binary("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open a page; whatever it complains about in the console fails the test."""
    with ExitStack() as contexts:
        complaints: list[str] = []

        def open_page(url: str, width: int = 1440, height: int = 900) -> Page:
            context = browser.new_context(viewport={"width": width, "height": height})
            contexts.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "console",
                lambda message: (
                    complaints.append(message.text)
                    if message.type == "error" and "Failed to load resource" not in message.text
                    else None
                ),
            )
            page.goto(url)
            return page

        yield open_page
    assert not complaints


@pytest.fixture(scope="session")
def street_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's clip as cameras send it."""
    path = tmp_path_factory.mktemp("street") / "street.h264"
    with av.open(str(_fetched(DEMO_CLIP))) as clip, path.open("wb") as film:
        stream = clip.streams.video[0]
        convert = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in clip.demux(stream):
            for converted in convert.filter(packet if packet.size else None):
                film.write(bytes(converted))
    return path


@pytest.fixture
def street(street_film: Path) -> Iterator[RtspServer]:
    """A camera on which people walk and ride by."""
    with RtspServer(street_film, fps=STREET_FPS) as server:
        yield server


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a run with a dashboard."""
    with ExitStack() as runs:

        def serve(*arguments: object, environment: dict[str, str] | None = None) -> Served:
            return runs.enter_context(
                Served(*arguments, log=tmp_path / "log.txt", environment=environment)
            )

        yield serve
