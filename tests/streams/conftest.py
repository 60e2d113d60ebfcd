"""Films for the tests of streams."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.film import FPS, GOP, LOOP, SIZE
from tests.servers import media
from tests.servers.rtsp import Codec


@pytest.fixture(scope="session")
def pictures() -> list[bytes]:
    """Numbered pictures in JPEG."""
    return media.mjpeg_frames(SIZE, LOOP)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, pictures: list[bytes]) -> dict[Codec, Path]:
    """The same numbered pictures in each codec."""
    folder = tmp_path_factory.mktemp("films")
    films: dict[Codec, Path] = {"mjpeg": folder / "film.mjpeg"}
    films["mjpeg"].write_bytes(b"".join(pictures))
    for codec in ("h264", "h265"):
        films[codec] = media.annex_b(folder / f"film.{codec}", codec, SIZE, FPS, LOOP, GOP)
    return films
