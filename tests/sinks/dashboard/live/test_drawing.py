"""Results drawn small: everything in its place, in the right colours, at any size."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pipeline.annotate import Style, annotate
from pipeline.brush import PALETTE
from pipeline.picture import Matrix, Picture
from pipeline.types import Frame, Tracks
from sinks.dashboard.live.drawing import draw, make_shot, scaled_objects, scaled_scene
from sinks.dashboard.live.view import View
from tests.kinds import MakeDetections, MakeFrame
from tests.sinks.dashboard.live.pages import SCENE, decoded, result_of

SIZES = [(1, 1), (1, 50), (3, 2), (47, 63), (273, 641), (720, 1280), (2160, 3840)]


def coloured(frame: Frame, full_range: bool, matrix: Matrix) -> Frame:
    """With smooth colours that go far, but nowhere so far that RGB would be cut off."""
    height, width = frame.size
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    chroma_rows, chroma_columns = np.mgrid[0 : (height + 1) // 2, 0 : (width + 1) // 2]
    y = 110 + 40 * np.sin(rows / height * 3) * np.cos(columns / width * 3)
    u = 128 + 25 * np.cos(chroma_rows / height * 6)
    v = 128 + 25 * np.sin(chroma_columns / width * 6)
    y, u, v = (np.rint(plane).astype(np.uint8) for plane in (y, u, v))
    return replace(frame, picture=Picture(y, u, v, full_range, matrix))


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("step", [320, 640, 960])
def test_the_jpeg_has_the_colours_of_the_frame(
    make_frame: MakeFrame, matrix: Matrix, full_range: bool, step: int
) -> None:
    frame = coloured(make_frame(size=(361, 641)), full_range, matrix)
    shot = make_shot(result_of(frame), 1, View("cam", step, True), Style())
    seen = decoded(shot.jpeg)
    size = (seen.shape[1], seen.shape[0])
    meant = cv2.resize(frame.bgr(), size, interpolation=cv2.INTER_AREA)
    assert np.abs(seen.astype(int) - meant).max() <= 6
    assert np.abs(np.mean(seen.astype(int) - meant, axis=(0, 1))).max() <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", [320, 3840])
def test_any_size_can_be_drawn(
    make_frame: MakeFrame, make_detections: MakeDetections, size: tuple[int, int], step: int
) -> None:
    height, width = size
    found = make_detections((width / 4, height / 4, width / 2, height, 0.9))
    result = replace(result_of(make_frame(size=size), found), scene=SCENE)
    shot = make_shot(result, 9, View("cam", step, True), Style(clock=True))
    about = shot.about
    assert decoded(shot.jpeg).shape[:2] == (about["height"], about["width"])
    assert about["width"] == min(step, width)
    assert (about["frame_height"], about["frame_width"]) == size
    assert shot.number == 9


def test_a_box_is_where_it_is_in_the_large_picture(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    found = make_detections((400, 200, 800, 600, 0.9), labels=[1])
    result = result_of(make_frame(size=(720, 1280)), found)
    picture = draw(result, (180, 320), Style())
    changed = picture.y != 100
    rows, columns = np.flatnonzero(changed[60:, :].any(1)), np.flatnonzero(changed.any(0))
    assert (rows[-1] + 61, columns[0], columns[-1] + 1) == (150, 100, 200)
    assert not changed[60:140, 110:190].any(), "the inside stays free"
    blue, green, red = picture.bgr()[149, 150].tolist()
    assert (red, green, blue) == pytest.approx(PALETTE[1], abs=3)
    assert changed[140:150, 150].sum() == 2, "lines have the width of the small picture"


def test_at_its_own_size_a_picture_is_what_a_recording_shows(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    frame = make_frame(size=(270, 480))
    found = make_detections((40, 20, 80, 60, 0.9))
    result = replace(result_of(frame, found), scene=SCENE)
    meant, seen = annotate(frame, found, SCENE), draw(result, (270, 480), Style())
    for one, other in ((meant.y, seen.y), (meant.u, seen.u), (meant.v, seen.v)):
        np.testing.assert_array_equal(one, other)
    assert (frame.picture.y == 100).all(), "the frame itself is left alone"


def test_zones_and_lines_are_drawn_only_where_they_are_wanted(make_frame: MakeFrame) -> None:
    scene = replace(SCENE, trails={})
    result = replace(result_of(make_frame(size=(360, 640))), scene=scene)
    plain = make_shot(result_of(make_frame(size=(360, 640))), 1, View("cam", 320, True), Style())
    without = make_shot(result, 1, View("cam", 320, False), Style())
    never = make_shot(result, 1, View("cam", 320, True), Style(zones=False))
    assert without.jpeg == plain.jpeg == never.jpeg
    assert make_shot(result, 1, View("cam", 320, True), Style()).jpeg != plain.jpeg


def test_the_header_tells_what_the_page_draws_itself(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    found = make_detections((1, 1, 9, 9, 0.9), (2, 2, 9, 9, 0.8))
    result = replace(result_of(make_frame("gate", 12, (360, 640)), found), scene=SCENE)
    assert make_shot(result, 1, View("gate", 320, False), Style()).about == {
        "camera": "gate",
        "index": 12,
        "wall_time": "2026-01-01T10:00:00.000Z",
        "width": 320,
        "height": 180,
        "frame_width": 640,
        "frame_height": 360,
        "objects": 2,
        "zones": [{"name": "yard", "occupancy": 3, "crowded": True}],
        "lines": [{"name": "kerb", "count_in": 2, "count_out": 1}],
    }


def test_tracks_and_trails_are_scaled_and_all_else_stays() -> None:
    tracks = Tracks(
        ids=np.array([3]),
        boxes=np.array([[10, 20, 30, 40]], np.float32),
        scores=np.array([0.9], np.float32),
        labels=np.array([0]),
        seen=np.array([True]),
        stationary=np.array([False]),
        class_names=("person",),
    )
    scaled = scaled_objects(tracks, (0.5, 0.25))
    assert scaled.boxes.dtype == np.float32
    assert scaled.boxes.tolist() == [[5, 5, 15, 10]]
    assert replace(scaled, boxes=tracks.boxes) == tracks
    scene = scaled_scene(SCENE, (0.5, 0.25))
    assert scene.trails == {7: [(0.0, 0.0), (50.0, 12.5)]}
    assert (scene.zones, scene.lines) == (SCENE.zones, SCENE.lines)
