"""Drawing: boxes and labels where they belong, on a copy, whatever the box and the size."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pipeline.annotate import Style, annotate
from pipeline.brush import PALETTE
from pipeline.picture import Matrix, Picture, Plane
from pipeline.rules.rule import Line, Zone
from pipeline.scene import LineView, Scene, ZoneView
from pipeline.types import Tracks
from tests.kinds import MakeDetections, MakeFrame

SIZES = [(48, 64), (47, 63), (360, 640), (2160, 3840)]


def planes(picture: Picture) -> tuple[Plane, Plane, Plane]:
    return picture.y, picture.u, picture.v


def changed(before: Picture, after: Picture) -> Plane:
    """(H, W) bool: where luma was drawn on."""
    return before.y != after.y


@pytest.mark.parametrize("size", SIZES)
def test_a_box_is_drawn_on_all_three_planes_of_a_copy(
    make_frame: MakeFrame, make_detections: MakeDetections, size: tuple[int, int]
) -> None:
    frame, (height, width) = make_frame(size=size), size
    before = [plane.copy() for plane in planes(frame.picture)]
    picture = annotate(frame, make_detections((width / 4, height / 2, width / 2, height, 0.9)))
    assert picture.size == size
    for original, kept, drawn in zip(before, planes(frame.picture), planes(picture), strict=True):
        np.testing.assert_array_equal(original, kept)
        assert (drawn != original).any()
        assert not np.shares_memory(kept, drawn)


def test_a_frame_in_memory_that_cannot_be_written_is_drawn(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame()
    for plane in planes(frame.picture):
        plane.flags.writeable = False
    assert changed(frame.picture, annotate(frame, make_detections((5, 5, 40, 40, 0.9)))).any()


def test_without_detections_nothing_is_drawn(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame()
    assert not changed(frame.picture, annotate(frame, make_detections())).any()


def test_the_outline_lies_within_its_box_and_the_inside_stays_free(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame(size=(240, 320))
    drawn = changed(frame.picture, annotate(frame, make_detections((100, 120, 200, 220, 0.9))))
    for side in (
        drawn[120:122, 100:200],
        drawn[218:220, 100:200],
        drawn[120:220, 100:102],
        drawn[120:220, 198:200],
    ):
        assert side.all()
    assert not drawn[122:218, 102:198].any()
    assert not drawn[220:].any()
    assert not drawn[120:, :100].any()
    assert not drawn[120:, 200:].any()


@pytest.mark.parametrize(("height", "line"), [(240, 2), (480, 2), (1080, 4), (2160, 9)])
def test_lines_grow_with_the_picture(
    make_frame: MakeFrame, make_detections: MakeDetections, height: int, line: int
) -> None:
    frame = make_frame(size=(height, height))
    box = (10, height / 2, height - 10, height - 10)
    drawn = changed(frame.picture, annotate(frame, make_detections((*box, 0.9))))
    assert drawn[height * 3 // 4, : height // 2].sum() == line


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("label", range(len(PALETTE)))
def test_each_class_has_its_colour_in_every_colour_space(
    make_frame: MakeFrame,
    make_detections: MakeDetections,
    label: int,
    matrix: Matrix,
    full_range: bool,
) -> None:
    frame = make_frame(size=(100, 100))
    frame = replace(frame, picture=Picture(*planes(frame.picture), full_range, matrix))
    names = tuple("abcdefgh")
    found = make_detections((20, 40, 80, 90, 0.9), labels=[label], class_names=names)
    blue, green, red = annotate(frame, found).bgr()[88, 50].tolist()
    assert (red, green, blue) == pytest.approx(PALETTE[label], abs=3)


def test_a_track_keeps_its_colour_and_shows_its_id(make_frame: MakeFrame) -> None:
    def drawn(track_id: int) -> Picture:
        tracks = Tracks(
            ids=np.array([track_id]),
            boxes=np.array([[20, 60, 180, 190]], np.float32),
            scores=np.array([0.9], np.float32),
            labels=np.array([0]),
            seen=np.array([True]),
            stationary=np.array([False]),
            class_names=("person",),
        )
        return annotate(make_frame(size=(200, 200)), tracks)

    for track_id in (1, 2, len(PALETTE) + 1):
        blue, green, red = drawn(track_id).bgr()[188, 100].tolist()
        assert (red, green, blue) == pytest.approx(PALETTE[track_id % len(PALETTE)], abs=3)
    one, other = drawn(1), drawn(len(PALETTE) + 1)
    assert changed(one, other).any(), "the number differs where the colour does not"
    blue, green, red = drawn(0).bgr()[188, 100].tolist()
    assert (red, green, blue) == pytest.approx(PALETTE[0], abs=3), "that of its class"


def test_every_object_is_drawn_in_the_colour_of_its_class(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    found = make_detections((10, 40, 40, 90, 0.9), (60, 40, 90, 90, 0.8), labels=[1, 0])
    bgr = annotate(make_frame(size=(100, 100)), found).bgr()
    for column, label in ((25, 1), (75, 0)):
        blue, green, red = bgr[88, column].tolist()
        assert (red, green, blue) == pytest.approx(PALETTE[label], abs=3)


def test_the_label_stands_on_the_box_or_else_inside_it(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame(size=(240, 320))
    above = changed(frame.picture, annotate(frame, make_detections((50, 100, 250, 200, 0.9))))
    assert above[95, 55:80].all()
    assert not above[110, 60:240].any()
    inside = changed(frame.picture, annotate(frame, make_detections((50, 4, 250, 200, 0.9))))
    assert not inside[:4].any()
    assert inside[10, 52:80].any()


def test_a_label_is_moved_into_the_picture(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame(size=(240, 320))
    drawn = changed(frame.picture, annotate(frame, make_detections((310, 100, 320, 200, 0.9))))
    label = drawn[95]
    assert label[-30:].all()
    assert not label[:200].any()


def test_the_best_detection_lies_on_top(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    box = (20.0, 40.0, 80.0, 90.0)
    frame = make_frame(size=(100, 100))
    best, both = (
        annotate(frame, make_detections(*((*box, score) for score in scores), labels=labels))
        for scores, labels in (([0.9], [1]), ([0.9, 0.8], [1, 0]))
    )
    np.testing.assert_array_equal(both.bgr()[80:90], best.bgr()[80:90])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "box",
    [
        (0.0, 0.0, 1.0, 1.0),
        (0.0, 0.0, 0.01, 0.01),
        (0.99, 0.99, 1.0, 1.0),
        (0.5, 0.5, 0.5, 0.5),
        (1.0, 1.0, 1.0, 1.0),
        (0.0, 0.5, 1.0, 0.5),
        (0.5, 0.0, 0.5001, 1.0),
        (0.333, 0.777, 0.3333, 0.7777),
    ],
    ids=str,
)
def test_boxes_at_the_edge_and_without_area_are_drawn(
    make_frame: MakeFrame,
    make_detections: MakeDetections,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
) -> None:
    frame, (height, width) = make_frame(size=size), size
    x1, y1, x2, y2 = box
    found = make_detections((x1 * width, y1 * height, x2 * width, y2 * height, 0.9))
    picture = annotate(frame, found)
    assert picture.size == size
    drawn = changed(frame.picture, picture).sum()
    assert 0 < drawn <= height * width


@pytest.mark.parametrize("name", ["person", "ü→視", "a very long name of a class " * 10, ""])
def test_any_class_name_can_be_drawn(
    make_frame: MakeFrame, make_detections: MakeDetections, name: str
) -> None:
    frame = make_frame(size=(48, 64))
    found = make_detections((10, 30, 30, 40, 0.9), class_names=(name, "car"))
    assert changed(frame.picture, annotate(frame, found)).any()


def test_a_box_that_covers_no_pixel_leaves_no_colour(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame(size=(100, 100))
    picture = annotate(frame, make_detections((5, 50, 5, 90, 0.9)))
    np.testing.assert_array_equal(picture.u[26:], frame.picture.u[26:])


def scene(**changes) -> Scene:
    """A zone in the left half, a line down the middle of the right one, a trail below."""
    half = np.array([[0.1, 0.2], [0.4, 0.2], [0.4, 0.9], [0.1, 0.9]], np.float32)
    gate = np.array([[0.75, 0.2], [0.75, 0.9]], np.float32)
    parts = {
        "zones": [ZoneView(Zone(name="yard", polygon=half), 3, crowded=False)],
        "lines": [LineView(Line(name="gate", points=gate), 2, 1)],
        "trails": {5: [(120, 220), (180, 220)]},
    }
    return Scene(**(parts | changes))


def test_zones_and_lines_are_drawn_where_they_are(make_frame: MakeFrame, make_detections) -> None:
    frame = make_frame(size=(240, 320))
    picture = annotate(frame, make_detections(), scene(trails={}))
    drawn = changed(frame.picture, picture)
    assert drawn[60:210, 31:34].any(axis=1).all(), "the zone's left side"
    assert drawn[215:217, 40:120].any(axis=0).all(), "its lower side"
    assert not drawn[80:200, 60:120].any(), "its inside stays free"
    assert drawn[60:210, 239:242].any(axis=1).all(), "the line"
    # The line runs down, so in is to the left.
    assert drawn[120:140, 222:237].any()
    assert not drawn[120:140, 244:300].any()
    assert (picture.u != frame.picture.u).any()


def test_no_outline_runs_through_the_labels_of_zones_and_lines(
    make_frame: MakeFrame, make_detections
) -> None:
    frame, style = make_frame(size=(240, 320)), Style(trails=False)
    free = annotate(frame, make_detections(), scene(), style)
    crossed = annotate(frame, make_detections((50, 30, 90, 200, 0.9)), scene(), style)
    through = slice(38, 46), slice(48, 54)  # where its left side and the zone's label meet
    np.testing.assert_array_equal(crossed.y[through], free.y[through])


def test_counts_are_part_of_the_picture(make_frame: MakeFrame, make_detections) -> None:
    frame, none = make_frame(size=(240, 320)), make_detections()
    three = annotate(frame, none, scene())
    four = annotate(frame, none, scene(zones=[replace(scene().zones[0], occupancy=4)]))
    more = annotate(frame, none, scene(lines=[replace(scene().lines[0], count_out=2)]))
    crowd = annotate(frame, none, scene(zones=[replace(scene().zones[0], crowded=True)]))
    assert changed(three, four).any()
    assert changed(three, more).any()
    assert changed(three, crowd)[100:200, 31:34].any()


def test_trails_have_the_colour_of_their_object(make_frame: MakeFrame, make_detections) -> None:
    frame, none = make_frame(size=(240, 320)), make_detections()
    for track_id in (5, 6):
        trails = {track_id: [(120, 220), (180, 220)], 9: [(300, 100)]}
        picture = annotate(frame, none, Scene(trails=trails))
        drawn = changed(frame.picture, picture)
        assert drawn[219:222, 122:178].any(axis=0).all()
        assert not drawn[:210].any(), "one point is no trail"
        bgr = picture.bgr()[220, 150, ::-1].astype(int)
        assert np.abs(bgr - PALETTE[track_id % len(PALETTE)]).max() < 30


@pytest.mark.parametrize("size", SIZES)
def test_everything_can_be_drawn_at_any_size(make_frame, make_detections, size) -> None:
    height, width = size
    trails = {1: [(0, 0), (width, height)], 2: [(-5, -5), (2 * width, height)]}
    style = Style(clock=True)
    found = make_detections((0, 0, width, height, 0.9))
    assert annotate(make_frame(size=size), found, scene(trails=trails), style).size == size


def test_what_is_not_wanted_is_not_drawn(make_frame: MakeFrame, make_detections) -> None:
    frame, none = make_frame(size=(240, 320)), make_detections()
    picture = annotate(frame, none, scene(), Style(zones=False, trails=False))
    assert not changed(frame.picture, picture).any()


def test_the_clock_is_that_of_the_camera_if_it_tells(make_frame, make_detections) -> None:
    frame, none = make_frame(size=(240, 640)), make_detections()
    style = Style(clock=True)
    ours = annotate(frame, none, None, style)
    drawn = changed(frame.picture, ours)
    assert drawn[-10:, :150].any()
    assert not drawn[:200].any()
    later = replace(frame, sender_time=frame.wall_time + timedelta(seconds=1))
    assert changed(ours, annotate(later, none, None, style)).any()
    berlin = Style(clock=True, clock_zone=ZoneInfo("Europe/Berlin"))
    assert changed(ours, annotate(frame, none, None, berlin)).any()
