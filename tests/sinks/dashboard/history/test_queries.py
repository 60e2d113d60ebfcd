"""What is asked of the history, against plain Python over a list."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.events import CameraEvent, Event, LineEvent, ZoneEvent
from sinks.dashboard.history.queries import EventFilter, after, newest, one_event
from sinks.dashboard.history.rows import milliseconds, to_row
from sinks.dialects.own import event_record
from tests.clock import NOON
from tests.sinks.dashboard.history.happenings import ids, new_object, record_of, sent, store_of
from tests.sinks.dialects.samples import KINDS, SAMPLES
from tests.sinks.dialects.test_any_event import EVENTS as ANY_EVENTS

TIMES_S = st.integers(-5, 5).map(float)
SOME_EVENTS = st.lists(
    st.tuples(st.sampled_from(list(SAMPLES.values())), TIMES_S), max_size=25
).map(lambda drawn: [sent(event, seq, at_s) for seq, (event, at_s) in enumerate(drawn, start=1)])


def some_of(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from([*values, "nobody", "'; DROP TABLE events; --"]), max_size=3)


WHEN = st.none() | TIMES_S.map(lambda at_s: NOON + timedelta(seconds=at_s))
FILTERS = st.builds(
    EventFilter,
    cameras=some_of("cam1", "cam2"),
    labels=some_of("person", "car"),
    zones=some_of("yard", "gate"),
    lines=some_of("door"),
    kinds=st.lists(st.sampled_from(sorted(KINDS)), max_size=3),
    since=WHEN,
    until=WHEN,
)


def is_wanted(event: Event, wanted: EventFilter) -> bool:
    state = None if isinstance(event, CameraEvent) else event.object
    time = event.wall_time if isinstance(event, CameraEvent) else event.at.wall_time
    in_place = (isinstance(event, ZoneEvent) and event.zone in wanted.zones) or (
        isinstance(event, LineEvent) and event.line in wanted.lines
    )
    return (
        (not wanted.cameras or event.source_id in wanted.cameras)
        and (not wanted.labels or (state is not None and state.label in wanted.labels))
        and (not (wanted.zones or wanted.lines) or in_place)
        and (not wanted.kinds or event.kind in wanted.kinds)
        and (wanted.since is None or time >= wanted.since)
        and (wanted.until is None or time < wanted.until)
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SOME_EVENTS, FILTERS, st.integers(1, 5))
def test_filters_and_pages(events: list[Event], wanted: EventFilter, limit: int) -> None:
    expected = [event.event_id for event in events if is_wanted(event, wanted)]
    with closing(store_of(events)) as store, store.reading() as db:
        found, before = list[str](), None
        while page := newest(db, wanted, before, limit):
            assert len(page) <= limit
            found += ids(page)
            before = page[-1].cursor
        assert found == expected[::-1]

        followed, cursor = list[str](), 0
        while True:
            page, reached = after(db, wanted, cursor, limit)
            followed += ids(page)
            if not page and reached == cursor:
                break
            cursor = reached
        assert followed == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(1, 4))
def test_pages_and_streams_have_each_event_once_while_others_are_added(
    bursts: Sequence[int], limit: int
) -> None:
    events = [new_object(seq) for seq in range(1, sum(bursts) + 5)]
    first, later = events[:4], iter(events[4:])
    with closing(store_of(first)) as store:
        seen, before, streamed, cursor = list[str](), None, list[str](), 0
        for burst in bursts:
            with store.reading() as db:
                page = newest(db, EventFilter(), before, limit)
                told, cursor = after(db, EventFilter(), cursor, limit)
            seen, before = seen + ids(page), page[-1].cursor if page else before
            streamed += ids(told)
            store.add([to_row(next(later)) for _ in range(burst)])
        with store.reading() as db:
            while told := after(db, EventFilter(), cursor, limit)[0]:
                streamed, cursor = streamed + ids(told), told[-1].cursor
    whole = [event.event_id for event in events]
    assert streamed == whole[: len(streamed)] and len(streamed) == len(events)
    assert seen == whole[:4][::-1][: len(seen)]
    assert len(seen) == min(4, limit * len(bursts))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_EVENTS)
def test_any_event_is_told_as_it_was_written(event: Event) -> None:
    with closing(store_of([event])) as store, store.reading() as db:
        told = one_event(db, event.event_id)
        assert told is not None and "\n" not in told.json() and "\r" not in told.json()
        record = record_of(told)
    assert record.pop("cursor") == told.cursor and record.pop("snapshot_url") is None
    assert record == _plain(event_record(event))


def _plain(record: object) -> object:
    if isinstance(record, dict):
        return {key: _plain(value) for key, value in record.items()}
    return [_plain(value) for value in record] if isinstance(record, tuple | list) else record


def test_a_cursor_that_is_yet_to_come_counts_as_the_latest() -> None:
    with closing(store_of([new_object(1)])) as store, store.reading() as db:
        last = newest(db, EventFilter(), None, 1)[0].cursor
        assert after(db, EventFilter(), last + 1000, 10) == ([], last)
        assert after(db, EventFilter(), 0, 10)[1] == last
        assert one_event(db, "7f3a-2") is None


def test_times_are_whole_milliseconds() -> None:
    assert milliseconds(NOON + timedelta(microseconds=1999)) == milliseconds(NOON) + 1
