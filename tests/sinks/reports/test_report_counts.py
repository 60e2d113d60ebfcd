"""Counts over time: exact in every bin, however often bins are merged, and bounded."""

from __future__ import annotations

import csv
import io
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
import pytest

from sinks.reports.counts import BINS, Counts
from sinks.reports.counts_plot import save_counts

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Look = tuple[float, Sequence[tuple[str, int]]]
"""When, and the class and id of each object."""


def counted(looks: Iterable[Look]) -> Counts:
    """Each look stands for the time since the last, at most for 1 s."""
    counts, previous_s = Counts(), 0.0
    for time_s, objects in looks:
        ids = np.array([one for _, one in objects], np.int64)
        watched_s, previous_s = min(time_s - previous_s, 1.0), time_s
        wall_time = NOON + timedelta(seconds=time_s)
        counts.add(time_s, watched_s, wall_time, [name for name, _ in objects], ids)
    return counts


def rows(counts: Counts) -> list[tuple[int, str, str, int, float, int]]:
    return [
        (int(start), time, name, int(new), float(mean), int(most))
        for start, time, name, new, mean, most in list(csv.reader(io.StringIO(counts.csv())))[1:]
    ]


def wander(seconds: int, seed: int = 0) -> list[Look]:
    """Objects of two classes come and go; at times nobody looks."""
    random = np.random.default_rng(seed)
    looks: list[Look] = []
    here: list[tuple[str, int]] = []
    last_id = 0
    for tick in range(4 * seconds):
        here = [one for one in here if random.random() > 0.1]
        for _ in range(random.poisson(0.2)):
            last_id += 1
            here.append((("person", "car")[int(random.integers(2))], last_id))
        if not seconds // 3 < tick // 4 < seconds // 2:
            looks.append((tick / 4, here))
    return looks


def test_each_bin_has_what_was_seen_in_it() -> None:
    counts = counted(
        [
            (0.0, [("person", 1)]),
            (0.25, [("person", 1), ("person", 2), ("car", 3)]),
            (0.75, [("person", 2)]),
            (1.0, []),
            (1.5, [("car", 3), ("car", 5), ("person", 4)]),
        ]
    )
    # In the first second persons: (2 * 0.25 + 1 * 0.5) / 0.75, and 1e-6 for the first frame.
    assert rows(counts) == [
        (0, "2026-01-01T12:00:00.000Z", "person", 2, 1.333, 2),
        (0, "2026-01-01T12:00:00.000Z", "car", 1, 0.333, 1),
        (1, "2026-01-01T12:00:01.000Z", "person", 1, 0.667, 1),
        (1, "2026-01-01T12:00:01.000Z", "car", 1, 1.333, 2),
    ]
    assert (counts.new("person"), counts.new("car")) == (3, 2)


def test_a_bin_of_one_frame_that_took_no_time_has_a_mean() -> None:
    assert rows(counted([(0.0, [("person", 1), ("person", 2)])]))[0][3:] == (2, 2.0, 2)


def test_where_nothing_tracks_new_objects_are_left_open() -> None:
    counts = Counts()
    counts.add(0.0, 0.0, NOON, ["person"], None)
    assert counts.csv().splitlines()[1] == "0,2026-01-01T12:00:00.000Z,person,,1.000,1"


@pytest.mark.parametrize("seconds", [600, 601, 1200, 1201, 5000])
def test_merged_bins_hold_what_they_would_have_held_from_the_start(seconds: int) -> None:
    looks = wander(seconds)
    counts = counted(looks)
    bin_s = {600: 1, 601: 2, 1200: 2, 1201: 4, 5000: 16}[seconds]
    assert counts.bin_s == bin_s
    known: set[int] = set()
    new: dict[tuple[int, str], int] = defaultdict(int)
    most: dict[tuple[int, str], int] = defaultdict(int)
    present_s: dict[tuple[int, str], float] = defaultdict(float)
    watched_s: dict[int, float] = defaultdict(float)
    first: dict[int, float] = {}
    previous_s = 0.0
    for time_s, objects in looks:
        index = int(time_s // bin_s)
        first.setdefault(index, time_s)
        step_s, previous_s = min(time_s - previous_s, 1.0), time_s
        watched_s[index] += step_s
        for name in ("person", "car"):
            ids = {one for kind, one in objects if kind == name}
            new[index, name] += len(ids - known)
            most[index, name] = max(most[index, name], len(ids))
            present_s[index, name] += len(ids) * step_s
            known |= ids
    found = rows(counts)
    assert len(found) == 2 * len(first)
    for start_s, time, name, new_objects, mean, maximum in found:
        index = start_s // bin_s
        assert time == f"{(NOON + timedelta(seconds=first[index])):%Y-%m-%dT%H:%M:%S.000Z}"
        assert (new_objects, maximum) == (new[index, name], most[index, name])
        assert mean == pytest.approx(present_s[index, name] / watched_s[index], abs=6e-4)


def test_a_coarser_copy_is_what_coarser_bins_would_be() -> None:
    counts = counted(wander(400))
    before = counts.csv()
    coarse = counts.coarser(150)
    assert (coarse.bin_s, coarse.bins) == (4, 100)
    assert sum(row[3] for row in rows(coarse)) == sum(row[3] for row in rows(counts))
    assert counts.csv() == before


def test_there_is_no_line_where_nobody_looked() -> None:
    counts = counted([(0.0, [("person", 1)]), (5.5, []), (9.0, [("person", 1)])])
    assert [row[0] for row in rows(counts)] == [0, 5, 9]
    mean, most = counts.at_once("person")
    np.testing.assert_array_equal(np.isnan(mean), np.isnan(most))
    assert np.flatnonzero(~np.isnan(mean)).tolist() == [0, 5, 9]


@pytest.mark.parametrize("step_s", [0.5, 60.0, 1e7])
def test_bins_are_bounded(step_s: float) -> None:
    counts = counted((index * step_s, [("person", index + 1)]) for index in range(3000))
    assert counts.bins <= BINS
    assert counts.new("person") == 3000
    assert len(rows(counts)) == len({int(index * step_s // counts.bin_s) for index in range(3000)})


def test_classes_come_in_the_order_of_their_presence() -> None:
    looks: list[Look] = [
        (0.5, [("cat", 1), ("person", 2), ("dog", 3)]),
        (1.0, [("person", 2), ("a, b", 4)]),
        (1.5, [("person", 2)]),
    ]
    counts = counted(looks)
    assert counts.classes == ["person", "a, b", "cat", "dog"]
    assert '"a, b"' in counts.csv()


def drawn(path: Path, counts: Counts) -> npt.NDArray[np.uint8]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_counts(path, "cam", counts)
    pixels = cv2.imread(str(path))
    assert pixels is not None
    assert pixels.shape == (720, 1080, 3)
    return np.asarray(pixels, np.uint8)


def coloured(pixels: npt.NDArray[np.uint8], colour: str) -> npt.NDArray[np.bool_]:
    """Which pixels have exactly a colour of matplotlib's."""
    rgb = np.round(np.array(matplotlib.colors.to_rgb(colour)) * 255)
    return np.asarray((pixels == rgb[::-1]).all(axis=-1))


def test_a_plot_has_a_line_a_class(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "a.png", counted(wander(100)))
    for colour in ("tab:blue", "tab:orange"):
        assert coloured(pixels[:640], colour).any(axis=0).sum() > 300
    assert not coloured(pixels, "tab:green").any()


def test_the_line_has_a_hole_where_nobody_looked(tmp_path: Path) -> None:
    looks: list[Look] = [(float(index), [("person", 1)]) for index in range(100)]
    holed = [look for look in looks if not 30 <= look[0] < 60]
    held = [look for look in looks if look[0] % 5 == 0]
    columns = [
        int(coloured(drawn(tmp_path / "a.png", counted(these))[:640], "tab:blue").any(axis=0).sum())
        for these in (looks, holed, held)
    ]
    assert columns[1] == pytest.approx(0.79 * columns[0], rel=0.02)  # held for 9 s
    assert columns[2] == pytest.approx(columns[0], rel=0.02)


def test_at_most_eight_classes_are_drawn(tmp_path: Path) -> None:
    def looks(last: str) -> list[Look]:
        names = [*(f"class {index}" for index in range(8)), last]
        return [
            (0.5 * index, [(name, row + 1) for row, name in enumerate(names[: 9 - index])])
            for index in range(9)
        ]

    before = drawn(tmp_path / "a.png", counted(looks("class 8")))
    after = drawn(tmp_path / "b.png", counted(looks("other")))
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", ["_hidden", "$x", "a $\\formula{$ c", "n" * 500, "a\x07\x1b\nb"])
def test_any_class_name_can_be_drawn(tmp_path: Path, name: str) -> None:
    pixels = drawn(tmp_path / "a.png", counted([(0.5 * t, [(name, 1)]) for t in range(9)]))
    assert coloured(pixels[:640], "tab:blue").any(axis=0).sum() > 700
    assert coloured(pixels[640:], "tab:blue").any()  # in the legend


@pytest.mark.parametrize("looks", [[(0.0, [])], [(0.0, [("person", 1)])]])
def test_a_single_frame_can_be_drawn(tmp_path: Path, looks: list[Look]) -> None:
    drawn(tmp_path / "a.png", counted(looks))


def test_more_and_fewer_objects_look_different(tmp_path: Path) -> None:
    one, other = (
        drawn(tmp_path / "a.png", counted([(0.5, [("person", 1), ("person", 2)]), last]))
        for last in ((1.5, [("person", 2)]), (1.5, [("person", 3)]))
    )
    np.testing.assert_array_equal(one[:640], other[:640])
    assert (one[640:] != other[640:]).any()  # 2 objects, 3 objects


def test_the_same_data_makes_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        drawn(tmp_path / name, counted(wander(20)))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
