"""Draws what was found: objects, zones and lines with their counts, trails and a clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import numpy as np

from pipeline.brush import Brush, YuvColour
from pipeline.picture import Picture
from pipeline.rules.geometry import Points
from pipeline.scene import LineView, Scene, ZoneView
from pipeline.types import Detections, Frame, Tracks

_ZONE, _CROWDED, _LINE, _CLOCK = 6, 4, 3, 7
"""Places in the palette."""
_ARROW = 14
"""Length of the arrow that points inwards, pixels of a picture 480 high."""


@dataclass(frozen=True, slots=True)
class Style:
    """What is drawn besides the objects."""

    zones: bool = True
    """And lines."""
    trails: bool = True
    clock: bool = False
    """The time of the frame by the camera, or by us if that does not tell."""
    clock_zone: tzinfo | None = UTC
    """Whose time; None for the machine's."""


def annotate(
    frame: Frame,
    objects: Detections | Tracks,
    scene: Scene | None = None,
    style: Style | None = None,
) -> Picture:
    """Return a copy of the frame's picture with a box, class and score for each object.

    Tracks are drawn with their ids, of which each has its colour; what has no id by class.
    """
    source, style, scene = frame.picture, style or Style(), scene or Scene()
    picture = Picture(
        source.y.copy(), source.u.copy(), source.v.copy(), source.full_range, source.matrix
    )
    brush = Brush(picture)
    if style.zones:
        for zone in scene.zones:
            _draw_zone(brush, zone, picture.size)
        for line in scene.lines:
            _draw_line(brush, line, picture.size)
    if style.trails:
        for track_id, points in scene.trails.items():
            if len(points) > 1:
                brush.path(points, brush.colours[track_id % len(brush.colours)])
    _draw_objects(brush, objects)
    if style.zones:  # labels last, or outlines run through them
        for zone in scene.zones:
            _label_zone(brush, zone, picture.size)
        for line in scene.lines:
            _label_line(brush, line, picture.size)
    if style.clock:
        time = (frame.sender_time or frame.wall_time).astimezone(style.clock_zone)
        brush.label(_clock_text(time), 0, picture.size[0], brush.colours[_CLOCK])
    return picture


def _draw_objects(brush: Brush, objects: Detections | Tracks) -> None:
    boxes, names, scores = (
        np.rint(objects.boxes).astype(int).tolist(),
        objects.names,
        objects.scores,
    )
    # The best object is drawn last, so that it lies on top.
    for row in np.argsort(scores, kind="stable").tolist():
        text = f"{names[row]} {scores[row]:.2f}"
        number = int(objects.labels[row])
        if isinstance(objects, Tracks) and objects.ids[row]:
            number = int(objects.ids[row])
            text = f"{names[row]} {number} {scores[row]:.2f}"
        colour = brush.colours[number % len(brush.colours)]
        x1, y1, _, _ = boxes[row]
        brush.outline(boxes[row], colour)
        brush.label(text, x1, y1, colour)


def _draw_zone(brush: Brush, view: ZoneView, size: tuple[int, int]) -> None:
    """Draw the border of a zone."""
    brush.path(_in_pixels(view.zone.polygon, size), _zone_colour(brush, view), closed=True)


def _label_zone(brush: Brush, view: ZoneView, size: tuple[int, int]) -> None:
    """Write its name and occupancy at its highest corner."""
    corners = _in_pixels(view.zone.polygon, size)
    x, y = min(corners, key=lambda corner: (corner[1], corner[0]))
    text = f"{view.zone.name}: {view.occupancy}"
    brush.label(text, round(x), round(y), _zone_colour(brush, view))


def _zone_colour(brush: Brush, view: ZoneView) -> YuvColour:
    return brush.colours[_CROWDED if view.crowded else _ZONE]


def _draw_line(brush: Brush, view: LineView, size: tuple[int, int]) -> None:
    """Draw a line, and an arrow that points inwards."""
    (x1, y1), (x2, y2) = start, end = _in_pixels(view.line.points, size)
    colour = brush.colours[_LINE]
    brush.path((start, end), colour)
    length = np.hypot(x2 - x1, y2 - y1)
    middle = np.array([x1 + x2, y1 + y2]) / 2
    along = np.array([x2 - x1, y2 - y1]) / length * _ARROW * brush.scale
    inwards = np.array([-along[1], along[0]])
    tip = middle + inwards
    brush.path(np.array([middle, tip]), colour)
    barbs = np.array([tip - (inwards - along) / 3, tip, tip - (inwards + along) / 3])
    brush.path(barbs, colour)


def _label_line(brush: Brush, view: LineView, size: tuple[int, int]) -> None:
    """Write its name and counts at its beginning."""
    ((x, y), _) = _in_pixels(view.line.points, size)
    text = f"{view.line.name}: in {view.count_in}, out {view.count_out}"
    brush.label(text, round(x), round(y), brush.colours[_LINE])


def _in_pixels(points: Points, size: tuple[int, int]) -> Sequence[tuple[float, float]]:
    height, width = size
    return [(float(x) * width, float(y) * height) for x, y in points]


def _clock_text(time: datetime) -> str:
    """With the zone, as nobody knows otherwise what time it is."""
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 100_000} {time:%Z}"
