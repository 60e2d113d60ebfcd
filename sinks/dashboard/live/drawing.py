"""Results drawn at the size of a page, not of the camera."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from pipeline.annotate import Style, annotate
from pipeline.clock import utc
from pipeline.picture import Picture, Plane
from pipeline.scene import Scene
from pipeline.types import Detections, Result, Tracks
from sinks.annotated.mosaic import Size, scaled_bgr
from sinks.dashboard.live.view import Shot, View

QUALITY = 80
"""Of the JPEG, 0..100."""


def make_shot(result: Result, number: int, view: View, style: Style) -> Shot:
    """Draw a result as a view wants it, and encode it.

    libjpeg from BGR takes less than half the time of libav's encoder from planes, which also
    would need them in full range and in the matrix of BT.601.
    """
    size = view.size(result.frame.size)
    picture = draw(result, size, style if view.rules else replace(style, zones=False))
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    made, data = cv2.imencode(".jpg", scaled_bgr(picture, size), quality)
    assert made, "OpenCV is built with JPEG"
    about = {"camera": view.camera, **_about(result, size)}
    return Shot(view, number, data.tobytes(), about, result.frame.captured_s)


def draw(result: Result, size: Size, style: Style) -> Picture:
    """What `result.annotated()` shows, in another (height, width), with letters of that size."""
    frame = result.frame
    factors = size[1] / frame.size[1], size[0] / frame.size[0]
    return annotate(
        replace(frame, picture=scaled_picture(frame.picture, size)),
        scaled_objects(result.objects, factors),
        None if result.scene is None else scaled_scene(result.scene, factors),
        style,
    )


def scaled_picture(picture: Picture, size: Size) -> Picture:
    """A picture made smaller, plane by plane; the same one where it has the size already."""
    if size == picture.size:
        return picture
    height, width = size
    chroma = (height + 1) // 2, (width + 1) // 2
    y, u, v = (
        _shrunk(plane, target)
        for plane, target in ((picture.y, size), (picture.u, chroma), (picture.v, chroma))
    )
    return replace(picture, y=y, u=u, v=v)


def _shrunk(plane: Plane, size: Size) -> Plane:
    shrunk = cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)


def scaled_objects(
    objects: Detections | Tracks, factors: tuple[float, float]
) -> Detections | Tracks:
    """Objects with their boxes in a picture that is scaled by factors, (x, y)."""
    return replace(objects, boxes=objects.boxes * np.array(factors * 2, np.float32))


def scaled_scene(scene: Scene, factors: tuple[float, float]) -> Scene:
    """The same of trails; zones and lines are relative to the picture."""
    x_factor, y_factor = factors
    trails = {
        track_id: [(x * x_factor, y * y_factor) for x, y in points]
        for track_id, points in scene.trails.items()
    }
    return replace(scene, trails=trails)


def _about(result: Result, size: Size) -> dict[str, Any]:
    frame, scene = result.frame, result.scene or Scene()
    return {
        "index": frame.index,
        "wall_time": utc(frame.wall_time),
        "width": size[1],
        "height": size[0],
        "frame_width": frame.size[1],
        "frame_height": frame.size[0],
        "objects": len(result.objects),
        "zones": [
            {"name": view.zone.name, "occupancy": view.occupancy, "crowded": view.crowded}
            for view in scene.zones
        ],
        "lines": [
            {"name": view.line.name, "count_in": view.count_in, "count_out": view.count_out}
            for view in scene.lines
        ],
    }
