"""Folders of pictures: in order of name, upright, in their colours, broken ones counted."""

from __future__ import annotations

import logging
import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.picture import Plane
from pipeline.types import Frame, Skipped
from sources import video_stream
from sources.images import ImageFolder


def read_folder(folder: Path) -> tuple[list[Frame], list[str]]:
    """The frames of a folder, and why others were skipped."""
    items = list(ImageFolder(folder, "folder", SystemClock()).read(threading.Event()))
    frames = [item for item in items if isinstance(item, Frame)]
    return frames, [item.reason for item in items if isinstance(item, Skipped)]


def smooth(height: int = 48, width: int = 64, channels: int = 3) -> Plane:
    """Soft colours, which chroma subsampling hardly changes; no two corners alike."""
    coarse = np.random.default_rng(7).integers(0, 256, (2, 3, channels), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def write(path: Path, pixels: Plane, *options: int) -> None:
    """Write a picture; its name may be anything."""
    encoded, data = cv2.imencode(path.suffix.lower(), pixels, options)
    assert encoded
    path.write_bytes(data.tobytes())


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG file with an EXIF segment behind its first marker."""
    tag = struct.pack("<HHII", 0x0112, 3, 1, orientation)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + tag + struct.pack("<I", 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def test_pictures_come_in_order_of_their_names(tmp_path: Path) -> None:
    for name, level in (("b.png", 120), ("a.jpg", 60), ("c.BMP", 180)):
        write(tmp_path / name, np.full((32, 48, 3), level, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "z").mkdir()
    write(tmp_path / "z" / "below.png", smooth())
    frames, skips = read_folder(tmp_path)
    assert [round(float(frame.bgr().mean())) for frame in frames] == pytest.approx(
        [60, 120, 180], abs=2
    )
    assert [(frame.index, frame.pts_s, frame.size) for frame in frames] == [
        (0, 0.0, (32, 48)),
        (1, 1.0, (32, 48)),
        (2, 2.0, (32, 48)),
    ]
    assert skips == []


def test_a_folder_knows_how_many_frames_to_expect(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / f"{number}.png", smooth())
    source = ImageFolder(tmp_path, "folder", SystemClock())
    assert (source.frame_count, source.live, source.source_id) == (4, False, "folder")


def test_pictures_may_differ_in_size(tmp_path: Path) -> None:
    sizes = [(48, 64), (33, 47), (64, 48), (1, 1)]
    for number, size in enumerate(sizes):
        write(tmp_path / f"{number}.png", smooth(*size))
    frames, _ = read_folder(tmp_path)
    assert [frame.size for frame in frames] == sizes


def test_stop_ends_the_frames(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.png", smooth())
    stop = threading.Event()
    frames = ImageFolder(tmp_path, "folder", SystemClock()).read(stop)
    assert next(frames).index == 0
    stop.set()
    assert list(frames) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", ()),
        ("a.bmp", ()),
        ("a.tiff", ()),
        ("a.webp", (cv2.IMWRITE_WEBP_QUALITY, 95)),
        ("420.jpg", (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)),
        ("422.jpg", (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422)),
        ("444.jpg", (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)),
        ("progressive.jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_those_that_opencv_reads(
    tmp_path: Path, name: str, options: tuple[int, ...], channels: int
) -> None:
    write(tmp_path / name, smooth(channels=channels), *options)
    (frame,), _ = read_folder(tmp_path)
    expected = cv2.imread(str(tmp_path / name), cv2.IMREAD_COLOR)
    assert np.abs(frame.bgr() - expected.astype(float)).mean() < 2.5


@pytest.mark.parametrize(
    ("kind", "pixels"),
    [
        ("grey with 16 bits", smooth(channels=1).astype(np.uint16) * 257),
        ("colour with 16 bits", smooth().astype(np.uint16) * 257),
        ("with transparency", np.dstack([smooth(), np.full((48, 64), 255, np.uint8)])),
    ],
)
def test_png_of_every_depth_keeps_its_colours(tmp_path: Path, kind: str, pixels: Plane) -> None:
    path = tmp_path / f"{kind}.png"
    write(path, pixels)
    (frame,), _ = read_folder(tmp_path)
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert np.abs(frame.bgr() - expected.astype(float)).mean() < 2.5


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_camera_held_sideways_gives_upright_pictures(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "turned.jpg"
    write(path, smooth())
    path.write_bytes(with_exif_orientation(path.read_bytes(), orientation))
    (frame,), _ = read_folder(tmp_path)
    expected = cv2.imread(str(path))
    assert frame.bgr().shape == expected.shape
    assert np.abs(frame.bgr() - expected.astype(float)).mean() < 2.5


@pytest.mark.parametrize(
    "content",
    [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"],
    ids=["empty", "text", "png header", "jpeg header"],
)
def test_a_broken_picture_is_skipped_counted_and_named(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("1.png", "3.png"):
        write(tmp_path / name, smooth())
    (tmp_path / "2.jpg").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        frames, skips = read_folder(tmp_path)
    assert [frame.index for frame in frames] == [0, 2]
    assert skips == ["corrupt"]
    (record,) = caplog.records
    assert str(tmp_path / "2.jpg") in record.getMessage()


def test_a_folder_of_broken_pictures_is_an_error(tmp_path: Path) -> None:
    for name in ("1.png", "2.jpg"):
        (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(SourceError, match="none of its pictures can be read"):
        read_folder(tmp_path)


@pytest.mark.parametrize("names", [[], ["notes.txt", "video.mp4"]])
def test_a_folder_without_pictures_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(SourceError) as caught:
        ImageFolder(tmp_path, "folder", SystemClock())
    assert str(caught.value) == (
        f"{tmp_path}: holds no pictures (.bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp)"
    )


def test_too_large_a_picture_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "1.png", smooth(48, 64))
    write(tmp_path / "2.png", smooth(48, 65))
    monkeypatch.setattr(video_stream, "MAX_PIXELS", 48 * 64)
    frames, skips = read_folder(tmp_path)
    assert [frame.size for frame in frames] == [(48, 64)]
    assert skips == ["corrupt"]


@pytest.mark.parametrize(
    "name", ["with space.png", "frame%03d.png", "-1.png", "http:a.png", "*.png", "é→視.png"]
)
def test_hostile_names_are_only_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write(tmp_path / name, smooth())
    monkeypatch.chdir(tmp_path)
    frames, skips = read_folder(Path())
    assert (len(frames), skips) == (1, [])
