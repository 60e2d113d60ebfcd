"""Encoders: each that there is makes files that can be read, and others are refused in a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest

import sinks.annotated.video
from pipeline.clock import SystemClock
from pipeline.encoding import Codec, Encoder, Encoding, Quality
from pipeline.errors import ConfigError
from pipeline.types import Result
from sinks.annotated.encoding import choose_encoder
from sinks.annotated.recorder import VideoRecorder
from sinks.annotated.video import VideoWriter
from sources import open_source
from sources.sample import sample
from tests.kinds import MakeDetections, MakeFrame

HARDWARE = [name for name in get_args(Encoder) if name not in ("software", "auto")]


@pytest.fixture
def record(tmp_path: Path, make_frame: MakeFrame, make_detections: MakeDetections):
    """Record 60 frames that get brighter, and return the file."""

    def record(encoding: Encoding) -> Path:
        with VideoRecorder({"cam": tmp_path / "video.mp4"}, encoding) as recorder:
            for index in range(60):
                frame = make_frame(index=index, pts_s=index / 25, size=(272, 320))
                luma = np.full_like(frame.picture.y, 40 + 3 * index)
                frame = replace(frame, picture=replace(frame.picture, y=luma))
                recorder.write(Result(frame, make_detections(), lambda frame, *_: frame.picture))
        return recorder.files[0]

    return record


def check(path: Path, codec: Codec) -> None:
    """60 frames, each at its time and as bright as it was."""
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert stream.codec_context.name == {"h264": "h264", "h265": "hevc"}[codec]
        if codec == "h265":
            assert stream.codec_context.codec_tag == "hvc1"
        frames = list(container.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(60)], abs=1e-4)
    found = [frame.to_ndarray()[:272].mean() for frame in frames]
    assert found == pytest.approx([40 + 3 * n for n in range(60)], abs=3)


@pytest.mark.parametrize("quality", get_args(Quality))
@pytest.mark.parametrize("codec", get_args(Codec))
def test_every_codec_and_quality_in_software(record, codec: Codec, quality: Quality) -> None:
    check(record(Encoding(codec=codec, quality=quality)), codec)


@pytest.mark.parametrize("codec", get_args(Codec))
def test_the_best_quality_is_the_closest_to_the_picture(
    bikes_clip: Path, tmp_path: Path, codec: Codec
) -> None:
    frames = sample(open_source(str(bikes_clip), "demo", SystemClock()), 10)
    errors = {}
    for quality in get_args(Quality):
        path = tmp_path / f"{quality}.mp4"
        writer = VideoWriter(path, frames[0].picture, 2, Encoding(codec=codec, quality=quality))
        for frame in frames:
            writer.write(frame.picture, frame)
        writer.close()
        with av.open(str(path)) as container:
            decoded = [frame.to_ndarray()[:272] for frame in container.decode(video=0)]
        pairs = zip(decoded, frames, strict=True)
        errors[quality] = np.mean([(y - f.picture.y.astype(float)) ** 2 for y, f in pairs])
    assert min(errors, key=errors.__getitem__) == "best", errors


@pytest.mark.parametrize("encoder", HARDWARE)
@pytest.mark.parametrize("codec", get_args(Codec))
def test_hardware_encodes_or_is_refused_in_a_line(record, codec: Codec, encoder: Encoder) -> None:
    encoding = Encoding(codec=codec, encoder=encoder)
    try:
        choose_encoder(encoding)
    except ConfigError as error:
        words = f"encoding.encoder: {encoder} cannot encode {codec} on this machine ("
        assert str(error).startswith(words)
        assert str(error).endswith("); choose auto or software")
        with pytest.raises(ConfigError, match=f"{encoder} cannot encode"):
            record(encoding)
    else:
        check(record(encoding), codec)


@pytest.mark.parametrize("codec", get_args(Codec))
def test_auto_takes_what_the_machine_has(record, codec: Codec) -> None:
    chosen = choose_encoder(Encoding(codec=codec, encoder="auto"))
    assert chosen.encoder != "auto"
    check(record(Encoding(codec=codec, encoder="auto")), codec)


def test_encoders_that_want_chroma_interleaved_get_it(
    tmp_path: Path, make_frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    frame = make_frame(size=(47, 63))
    picture = frame.picture
    u, v = (ramp(plane.shape, rng) for plane in (picture.u, picture.v))
    frame = replace(frame, picture=replace(picture, u=u, v=v))
    seen = []
    for pixel_format in ("yuv420p", "nv12"):
        monkeypatch.setattr(
            sinks.annotated.video, "pixel_format", lambda _, name=pixel_format: name
        )
        monkeypatch.setattr(
            "sinks.annotated.encoding.pixel_format", lambda _, name=pixel_format: name
        )
        writer = VideoWriter(tmp_path / f"{pixel_format}.mp4", frame.picture)
        writer.write(frame.picture, frame)
        writer.close()
        with av.open(str(writer.path)) as container:
            seen.append(next(container.decode(video=0)).to_ndarray())
    assert np.array_equal(*seen)
    assert seen[0][48:].std() > 10, "there is colour to be confused"


def ramp(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A smooth slope in some direction."""
    rows, columns = np.indices(shape)
    return (60 + 2 * rows * rng.uniform(0.5, 1) + 2 * columns * rng.uniform(0.5, 1)).astype(
        np.uint8
    )
