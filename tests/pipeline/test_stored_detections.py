"""Reading stored detections: as they were, and wrong lines by their number."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.stored_detections import read_detections
from pipeline.types import Result

LINE: dict[str, Any] = {
    **{"source": "cam", "index": 12, "pts_s": 0.48, "wall_time": "2026-01-01T10:00:00.250Z"},
    **{"width": 640, "height": 480},
    "objects": [{"label": "car", "score": 0.9, "box": [1, 2.5, 30, 40], "track_id": 3}],
    "unsure": [{"label": "person", "score": 0.2, "box": [5, 6, 7, 8], "track_id": None}],
}
Read = Callable[..., list[Result]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(*lines: str | bytes | dict[str, Any]) -> list[Result]:
        path = tmp_path / "d.jsonl"
        encoded = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
        path.write_bytes(
            b"\n".join(line.encode() if isinstance(line, str) else line for line in encoded)
        )
        return list(read_detections(path, lambda _: None))

    return read


def test_a_line_is_what_it_was(read: Read) -> None:
    (result,) = read(LINE)
    frame, found = result.frame, result.detections
    assert (frame.source_id, frame.index, frame.pts_s) == ("cam", 12, 0.48)
    assert frame.wall_time == datetime(2026, 1, 1, 10, 0, 0, 250_000, tzinfo=UTC)
    assert frame.size == (480, 640)
    assert found.names == ["car", "person"]
    np.testing.assert_allclose(found.scores, [0.9, 0.2])
    np.testing.assert_allclose(found.boxes, [[1, 2.5, 30, 40], [5, 6, 7, 8]])
    assert result.inferred


def test_classes_keep_their_numbers(read: Read) -> None:
    van = [{"label": "van", "score": 1, "box": [0, 0, 1, 1]}]
    results = read(LINE, LINE | {"objects": van}, LINE | {"objects": [], "unsure": []})
    assert [result.detections.names for result in results] == [
        ["car", "person"],
        ["van", "person"],
        [],
    ]
    assert [result.detections.labels.tolist() for result in results[:2]] == [[0, 1], [2, 1]]


def test_files_that_share_labels_number_their_classes_alike(tmp_path: Path) -> None:
    paths = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    van = [{"label": "van", "score": 1, "box": [0, 0, 1, 1]}]
    paths[0].write_text(json.dumps(LINE))
    paths[1].write_text(json.dumps(LINE | {"objects": van, "unsure": []}))
    labels: dict[str, int] = {}
    first, second = (next(read_detections(path, lambda _: None, labels)) for path in paths)
    assert first.detections.names == ["car", "person"]
    assert second.detections.labels.tolist() == [2]
    assert second.detections.class_names == ("car", "person", "van")


def test_without_stream_time_it_is_that_of_the_wall(read: Read) -> None:
    (result,) = read(LINE | {"pts_s": None})
    assert result.frame.time_s == pytest.approx(1_767_261_600.25)


def test_black_pictures_take_no_memory(read: Read) -> None:
    (result,) = read(LINE | {"width": 7680, "height": 4320})
    assert sum(result.frame.picture.y.strides) == 0


def test_unknown_keys_and_empty_lines_do_no_harm(read: Read) -> None:
    assert len(read(LINE | {"weather": "fine"}, "", LINE, "\n")) == 2


@pytest.mark.parametrize("length", [12, 40, 100, -1])
def test_row_37_a_last_line_that_a_crash_tore_is_left_out_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    path, line = tmp_path / "d.jsonl", json.dumps(LINE).encode()
    path.write_bytes(line + b"\n" + line[:length])
    assert len(list(read_detections(path, lambda _: None))) == 1
    assert caplog.messages == [f"{path}: line 2: is cut short, as a crash leaves it; left out"]
    path.write_bytes(line[:length] + b"\n" + line + b"\n")
    with pytest.raises(SourceError, match="line 1"):
        list(read_detections(path, lambda _: None))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "is not a line"),
        ("[]", "is not a line|object"),
        (b"\xff\xfe", "Invalid JSON|is not"),
        ({"source": "a"}, "index: Field required"),
        (LINE | {"source": "../evil"}, "source"),
        (LINE | {"source": "a" * 65}, "source"),
        (LINE | {"source": "a\nb"}, "source"),
        (LINE | {"pts_s": 1.7e308}, "pts_s"),
        (LINE | {"wall_time": "9999-12-31T23:59:59Z"}, "wall_time"),
        (LINE | {"wall_time": "0001-01-01T00:00:00+14:00"}, "wall_time"),
        (
            LINE | {"objects": [{"label": "a", "score": 1, "box": [0, 0, 1, 1e300]}]},
            "objects.0.box",
        ),
        (LINE | {"width": 0}, "width"),
        (LINE | {"watched_s": -1}, "watched_s"),
        (LINE | {"width": "640"}, "width"),
        (LINE | {"index": -1}, "index"),
        (LINE | {"wall_time": "noon"}, "wall_time"),
        (LINE | {"wall_time": "2026-01-01T10:00:00"}, "wall_time"),
        (LINE | {"objects": [{"label": "a", "score": 2, "box": [0, 0, 1, 1]}]}, "objects.0.score"),
        (LINE | {"objects": [{"label": "a", "score": 1, "box": [0, 0, 1]}]}, "objects.0.box"),
        (json.dumps(LINE).replace("2.5", "NaN"), "objects.0.box|Invalid JSON"),
        (json.dumps(LINE).replace("2.5", "1e999"), "objects.0.box|Invalid JSON"),
    ],
)
def test_a_wrong_line_is_named(read: Read, line, what: str) -> None:
    with pytest.raises(SourceError, match=rf"d.jsonl: line 2: .*({what})") as error:
        read(LINE, line)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        list(read_detections(tmp_path, lambda _: None))
