"""Counts over time, against plain Python over a list."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.events import Event, LineEvent, ObjectEvent, ZoneEvent
from sinks.dashboard.history.counts import Bins, Series, bins_of, count
from sinks.dashboard.history.rows import milliseconds, to_row
from sinks.dashboard.history.store import Store
from tests.clock import NOON
from tests.sinks.dashboard.history.happenings import crossing, in_zone, new_object, store_of

MINUTE_BINS = Bins(milliseconds(NOON), 60, 5)
"""Five minutes from noon on."""
CAMERAS = st.sampled_from(["gate", "yard"])
HELD_BACK = st.integers(0, 3)
MAKERS = st.one_of(
    st.builds(
        lambda camera, label: (new_object, {"camera": camera, "label": label}), CAMERAS, CAMERAS
    ),
    st.builds(
        lambda camera, kind, occupancy, held: (
            in_zone,
            {"camera": camera, "kind": kind, "occupancy": occupancy, "suppressed": held},
        ),
        CAMERAS,
        st.sampled_from(["zone_entered", "zone_left", "zone_loitering", "zone_crowded"]),
        st.integers(0, 5),
        HELD_BACK,
    ),
    st.builds(
        lambda direction, held: (crossing, {"direction": direction, "suppressed": held}),
        st.sampled_from(["in", "out"]),
        HELD_BACK,
    ),
)
DRAWN = st.lists(st.tuples(st.integers(-200, 400), MAKERS), max_size=30).map(
    lambda drawn: [
        maker(seq, float(at_s), **values)  # type: ignore[operator]
        for seq, (at_s, (maker, values)) in enumerate(
            sorted(drawn, key=lambda one: one[0]), start=1
        )
    ]
)


def counted(events: list[Event]) -> tuple[Series, Series, Series]:
    """The same by hand."""
    none = [0] * MINUTE_BINS.count
    objects, zones, lines = (defaultdict(lambda: list(none)) for _ in range(3))
    by_zone = defaultdict[tuple[str, str], list[tuple[float, int]]](list)
    for event in events:
        assert isinstance(event, ObjectEvent | ZoneEvent | LineEvent)
        at = (event.at.wall_time - NOON) // timedelta(minutes=1)
        if isinstance(event, ZoneEvent) and at < MINUTE_BINS.count:
            by_zone[event.source_id, event.zone].append((at, event.occupancy))
        if not 0 <= at < MINUTE_BINS.count:
            continue
        if isinstance(event, ObjectEvent):
            objects[event.source_id, event.object.label, "new"][at] += 1
        elif isinstance(event, LineEvent):
            lines[event.source_id, event.line, event.direction][at] += 1 + event.suppressed
        elif event.kind in ("zone_entered", "zone_left"):
            zones[event.source_id, event.zone, event.kind[5:]][at] += 1 + event.suppressed
    for zone, steps in by_zone.items():
        most = list[int]()
        for at in range(MINUTE_BINS.count):
            before = [0, *(number for when, number in steps if when < at)][-1]
            most.append(max([before, *(number for when, number in steps if when == at)]))
        if any(most) or any(at >= 0 for at, _ in steps):
            zones[*zone, "occupancy"] = most
    return objects, zones, lines


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DRAWN, st.sampled_from([(), ("gate",), ("gate", "yard"), ("nobody",)]))
def test_counts(events: list[Event], cameras: tuple[str, ...]) -> None:
    with closing(store_of(events)) as store, store.reading() as db:
        told = count(db, MINUTE_BINS, cameras)
    expected = counted([one for one in events if not cameras or one.source_id in cameras])
    assert (told.objects, told.zones, told.lines) == expected


def test_a_run_begins_with_empty_zones() -> None:
    """A run that was killed could not tell of those who left."""
    store = Store(None, NOON - timedelta(minutes=9))
    with closing(store):
        store.add([to_row(in_zone(1, -60.0, occupancy=3)), to_row(in_zone(2, 50.0, occupancy=2))])
        store._begin_run(NOON + timedelta(seconds=90))
        store.add([to_row(in_zone(1, 190.0, run="8a4b", occupancy=1))])
        with store.reading() as db:
            told = count(db, MINUTE_BINS)
    assert told.zones["gate", "yard", "occupancy"] == [3, 2, 0, 1, 1]


@pytest.mark.parametrize(
    ("since", "until", "bin_s", "first", "length_s", "number"),
    [
        ("2026-01-01T10:00:30Z", "2026-01-01T10:02:00Z", 60, "2026-01-01T10:00:00Z", 60, 2),
        ("2026-01-01T10:00:30Z", "2026-01-01T10:02:00.001Z", 60, "2026-01-01T10:00:00Z", 60, 3),
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", None, "2026-01-01T00:00:00Z", 1800, 48),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:30Z", None, "2026-01-01T00:00:00Z", 1, 30),
        ("2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z", None, "2026-01-01T00:00:00Z", 604_800, 52),
        # Days where the caller is.
        ("2026-01-02T09:00:00+02:00", "2026-01-03T00:00:00+02:00", 86_400,
         "2026-01-01T22:00:00Z", 86_400, 1),
    ],
)  # fmt: skip
def test_bins(
    since: str, until: str, bin_s: int | None, first: str, length_s: int, number: int
) -> None:
    bins = bins_of(datetime.fromisoformat(since), datetime.fromisoformat(until), bin_s)
    assert (bins.length_s, bins.count) == (length_s, number)
    assert bins.times()[0] == datetime.fromisoformat(first)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(8999, 1, 1)),
    st.integers(1, 10**12),
    st.integers(-14 * 60, 14 * 60),
)
def test_bins_that_are_chosen_cover_what_is_asked_for(
    since: datetime, span_ms: int, offset_min: int
) -> None:
    begin = since.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    until = begin + timedelta(milliseconds=span_ms)
    bins = bins_of(begin, until, None)
    assert 1 <= bins.count <= 62
    assert bins.times()[0] <= begin.astimezone(UTC)
    assert bins.end_ms >= milliseconds(until) > bins.end_ms - bins.length_ms
