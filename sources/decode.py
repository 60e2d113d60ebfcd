"""Decoded libav frames as `Picture`s: planes as they are where possible, converted where not."""

from __future__ import annotations

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from pipeline.picture import Matrix, Picture, Plane

# Numbers of ITU-T H.273, table 4 (matrix coefficients).
_MATRICES: dict[int, Matrix] = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
_PLANAR_420 = frozenset({"yuv420p", "yuvj420p"})
_FULL_RANGE_FORMATS = frozenset({"yuvj420p", "yuvj422p", "yuvj444p"})


class PictureMaker:
    """Turns decoded frames into pictures; keeps one scaler, so use one per thread."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def picture(self, frame: av.VideoFrame) -> Picture:
        """Return the frame's picture, upright; its planes share the frame's memory if they can.

        Formats other than 8-bit 4:2:0 are converted; untagged colours count as BT.601, as
        swscale and OpenCV take them.
        """
        full_range = frame.color_range == ColorRange.JPEG or (
            frame.format.name in _FULL_RANGE_FORMATS
        )
        matrix = _MATRICES.get(frame.colorspace, "bt601")
        if frame.format.is_rgb or frame.format.has_palette:
            full_range, matrix = True, "bt601"
        turns = round(frame.rotation / 90) % 4
        if frame.format.name not in _PLANAR_420:
            frame = self._to_planar_420(frame, full_range)
        y, u, v = (_upright(_view(plane), turns) for plane in frame.planes)
        return Picture(y, u, v, full_range, matrix)

    def picture_or_none(self, frame: av.VideoFrame | None) -> Picture | None:
        """The same; None where there is no frame, or one that is damaged or of an unknown kind."""
        if frame is None or frame.is_corrupt:
            return None
        try:
            return self.picture(frame)
        except (av.error.FFmpegError, OSError):  # swscale cannot convert it
            return None

    def _to_planar_420(self, frame: av.VideoFrame, full_range: bool) -> av.VideoFrame:
        color_range = ColorRange.JPEG if full_range else ColorRange.MPEG
        to_rgb_matrix = {"dst_colorspace": Colorspace.ITU601} if frame.format.is_rgb else {}
        return self._reformatter.reformat(
            frame,
            format="yuv420p",
            src_color_range=color_range,
            dst_color_range=color_range,
            threads=1,
            **to_rgb_matrix,
        )


def _view(plane: VideoPlane) -> Plane:
    """The plane's pixels, (H, W), without its row padding and without a copy."""
    rows: Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def _upright(plane: Plane, turns: int) -> Plane:
    """Undo a rotation that the container declares, in quarter turns anticlockwise."""
    return np.ascontiguousarray(np.rot90(plane, turns)) if turns else plane
