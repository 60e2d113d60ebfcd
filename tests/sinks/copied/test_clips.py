"""Clips: the whole of an event and some before and after, out of what the camera sent."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import SystemClock
from pipeline.events import Event, LineEvent, Moment, ObjectEvent, ZoneEvent
from pipeline.packets import Media, MediaPacket, SourceEnded
from pipeline.recording_config import ClipsConfig
from pipeline.snapshot import Snapshot
from pipeline.types import Frame, Result
from sinks.copied.clips import Clips
from sinks.copied.ring import MAX_LATE_S, SLACK_S, Ring
from tests.sinks.copied.copies import contents, film, lines, packets, times, videos, watched
from tests.sinks.dialects.samples import PERSON

FPS = 5
"""Of the films here, which are long and cheap."""
Told = dict[int, Callable[[Frame], Event]]


def at(frame: Frame, index: int | None = None) -> Moment:
    """The moment of a frame, or of one before it."""
    index = frame.index if index is None else index
    return Moment(index, index / FPS, frame.wall_time)


def comes(name: str = "p1", seen: int | None = None) -> Callable[[Frame], Event]:
    """An object becomes known, that was first seen at another frame."""
    return lambda frame: ObjectEvent(
        "object_new", "cam", at(frame), replace(PERSON, object_id=name, first_seen=at(frame, seen))
    )


def goes(name: str = "p1") -> Callable[[Frame], Event]:
    state = replace(PERSON, object_id=name)
    return lambda frame: ObjectEvent("object_end", "cam", at(frame), state, PERSON, "gone")


def crosses(frame: Frame) -> Event:
    return LineEvent("line_crossed", "cam", at(frame), "kerb", PERSON, "in", 1, 0)


def in_zone(kind: Any, name: str | None = "p1") -> Callable[[Frame], Event]:
    state = None if name is None else replace(PERSON, object_id=name)
    return lambda frame: ZoneEvent(kind, "cam", at(frame), "yard", state, None, 1, 1, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "clips"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A minute with sound, with a keyframe every second and every ten."""
    path = tmp_path_factory.mktemp("films")
    return {
        gop_s: film(path / f"{gop_s}.mkv", 60 * FPS, gop=gop_s * FPS, fps=FPS) for gop_s in (1, 10)
    }


def media(path: Path, told: Told, delay: int = 0) -> list[Media]:
    def happen(frame: Frame) -> Sequence[Event]:
        return [told[frame.index](frame)] if frame.index in told else []

    return watched(path, happen=happen, delay=delay)


def record(folder: Path, items: Sequence[Media], **settings: Any) -> list[Path]:
    config = ClipsConfig.model_validate({"folder": folder, **settings})
    with Clips(config, SystemClock()) as sink:
        for item in items:
            sink.write(item)
    assert not list(folder.rglob("*.part"))
    return videos(folder)


def span(path: Path, items: Sequence[Media]) -> tuple[int, int]:
    """The first and the last frame of a clip; all between are there, byte for byte."""
    sent = [packet.data for packet in packets(items)]
    kept = contents(path)
    first = sent.index(kept[0])
    assert kept == sent[first : first + len(kept)]
    assert len(times(path)) == len(kept)
    return first, first + len(kept) - 1


def told_of(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return told


# What a clip contains.


@pytest.mark.parametrize("delay", [0, 2 * FPS])
@pytest.mark.parametrize("gop_s", [1, 10])
def test_a_clip_contains_the_whole_event_with_pre_roll_and_post_roll(
    films: dict[int, Path], folder: Path, gop_s: int, delay: int
) -> None:
    # Seen from 30.2 s on, known at 31 s, gone at 40 s; 5 s before and after.
    items = media(films[gop_s], {155: comes(seen=151), 200: goes()}, delay)
    (path,) = record(folder, items)
    first, last = span(path, items)
    assert first % (gop_s * FPS) == 0, "a keyframe"
    assert first <= 151 - 5 * FPS < first + gop_s * FPS, "and not one too early"
    assert 200 + 5 * FPS <= last <= 200 + 5 * FPS + delay + 1
    assert lines(path)[0]["pts_s"] == 0.0
    assert [line["index"] for line in lines(path)] == list(range(first, last + 1))


def test_what_was_in_a_clip_is_written_beside_it(films: dict[int, Path], folder: Path) -> None:
    items = media(films[1], {100: comes(), 110: crosses, 120: goes()})
    (path,) = record(folder, items)
    told = told_of(path)
    assert (told["source"], told["files"]) == ("cam", [path.name])
    assert [event["event"] for event in told["events"]] == [
        *("object_new", "line_crossed", "object_end")
    ]
    assert told["snapshot"] == path.with_suffix(".jpg").name
    assert path.with_suffix(".jpg").read_bytes()[:2] == b"\xff\xd8"
    first = packets(items)[span(path, items)[0]]
    begun = first.wall_time.isoformat(timespec="milliseconds")
    assert told["begin"] == begun.replace("+00:00", "Z")


def test_a_clip_has_sound_unless_it_is_not_wanted(films: dict[int, Path], folder: Path) -> None:
    items = media(films[1], {100: crosses})
    (path,) = record(folder, items)
    sent = [packet.data for packet in packets(items, "audio")]
    heard = contents(path, "audio")
    assert heard == sent[sent.index(heard[0]) :][: len(heard)]
    assert len(heard) == pytest.approx(len(contents(path)) / FPS * 48_000 / 1024, abs=12)
    (silent,) = record(folder / "2", items, audio=False)
    assert contents(silent, "audio") == []


def test_events_that_overlap_share_a_clip(films: dict[int, Path], folder: Path) -> None:
    told = {100: comes("a"), 120: comes("b"), 130: goes("a"), 150: goes("b"), 170: crosses}
    items = media(films[1], told)
    (path,) = record(folder, items)
    assert span(path, items) == (75, 195)
    assert len(told_of(path)["events"]) == 5


def test_events_apart_have_clips_of_their_own(films: dict[int, Path], folder: Path) -> None:
    items = media(films[1], {50: crosses, 110: crosses, 250: crosses})
    assert [span(path, items) for path in record(folder, items)] == [
        *((25, 75), (85, 135), (225, 275))
    ]


@pytest.mark.parametrize(
    ("told", "last"),
    [
        ({100: in_zone("zone_entered"), 160: in_zone("zone_left")}, 185),
        ({100: in_zone("zone_entered"), 160: goes()}, 185),
        ({100: in_zone("zone_entered"), 150: in_zone("zone_left", "p2"), 160: goes()}, 185),
        ({100: in_zone("zone_crowded", None), 160: in_zone("zone_cleared", None)}, 185),
        ({100: in_zone("zone_loitering"), 160: in_zone("zone_left")}, 185),
        ({100: crosses, 160: goes()}, 125),
    ],
)
def test_a_clip_lasts_as_long_as_its_event(
    films: dict[int, Path], folder: Path, told: Told, last: int
) -> None:
    items = media(films[1], told)
    events = ["zone_entered", "zone_crowded", "zone_loitering", "line_crossed"]
    (path,) = record(folder, items, events=events)
    assert span(path, items) == (75, last)


def test_only_events_that_are_asked_for_make_clips(films: dict[int, Path], folder: Path) -> None:
    items = media(films[1], {50: comes(), 100: crosses, 140: in_zone("zone_entered"), 160: goes()})
    (path,) = record(folder, items, events=["line_crossed"])
    assert span(path, items) == (75, 125)


def test_a_clip_ends_when_it_is_as_long_as_it_may_be(films: dict[int, Path], folder: Path) -> None:
    items = media(films[1], {100: comes(), 280: goes()})
    (path,) = record(folder, items, max_s=20)
    assert span(path, items) == (75, 175)


def test_before_and_after_can_be_nothing(films: dict[int, Path], folder: Path) -> None:
    items = media(films[1], {102: crosses})
    (path,) = record(folder, items, before_s=0, after_s=0)
    assert span(path, items) == (100, 102)


def test_an_event_at_the_beginning_and_one_at_the_end(films: dict[int, Path], folder: Path) -> None:
    items = media(films[1], {3: crosses, 295: comes()})
    end = SourceEnded("cam", [goes()(result(items)[-1].frame)])
    assert [span(path, items) for path in record(folder, [*items, end])] == [(0, 28), (270, 299)]
    assert [e["event"] for e in told_of(videos(folder)[1])["events"]] == [
        "object_new",
        "object_end",
    ]


def result(items: Sequence[Media]) -> list[Result]:
    return [item for item in items if isinstance(item, Result)]


def test_a_clip_goes_on_in_a_second_file_after_a_reconnection(
    films: dict[int, Path], folder: Path
) -> None:
    items = media(films[1], {100: comes(), 200: goes()})
    again = packets(media(films[1], {}))[0].format
    changed = [
        replace(item, format=again)
        if isinstance(item, MediaPacket) and item.time_s > 29.9
        else item
        for item in items
    ]
    first, second = record(folder, changed)
    assert (span(first, items), span(second, items)) == ((75, 149), (150, 225))
    assert told_of(first)["files"] == [first.name, second.name]
    assert not second.with_suffix(".json").exists()


def test_a_detector_that_says_nothing_more_ends_no_clip_too_late(
    films: dict[int, Path], folder: Path
) -> None:
    items = media(films[1], {50: crosses})
    silent = [i for i in items if isinstance(i, MediaPacket) or i.frame.index <= 50]
    (path,) = record(folder, silent)
    first, last = span(path, items)
    assert (first, last) == (25, 75 + int(MAX_LATE_S) * FPS)


def test_a_clip_tells_what_it_is_about_from_its_beginning(
    films: dict[int, Path], folder: Path
) -> None:
    """As a process that is killed tells nothing more."""
    items = media(films[1], {100: comes(), 200: goes()})
    with Clips(ClipsConfig.model_validate({"folder": folder}), SystemClock()) as sink:
        for item in items:
            sink.write(item)
            if isinstance(item, Result) and item.frame.index == 110:
                break
        (part,) = folder.rglob("*.part")
        clip = part.with_suffix("")
        told = told_of(clip)
    assert (told["source"], told["files"]) == ("cam", [clip.name])
    assert [event["event"] for event in told["events"]] == ["object_new"]
    assert told["begin"].replace(":", "").replace("-", "") in clip.name
    assert clip.with_suffix(".jpg").exists()


def test_a_clip_tells_how_many_events_it_leaves_out(
    films: dict[int, Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.copied.clip.MAX_EVENTS", 3)
    (path,) = record(folder, media(films[1], dict.fromkeys(range(100, 105), crosses)))
    assert len(told_of(path)["events"]) == 3
    assert told_of(path)["events_left_out"] == 2


def test_a_clip_holds_on_to_no_picture_but_the_latest(films: dict[int, Path], folder: Path) -> None:
    """Each event has a picture of its object, which may be as large as the frame."""
    pictures: list[weakref.ref[Snapshot]] = []

    def seen(frame: Frame) -> Event:
        snapshot = Snapshot(frame.picture, (0, 0, 50, 50), 0.9, frame.index, frame.wall_time)
        pictures.append(weakref.ref(snapshot))
        state = replace(PERSON, object_id=str(frame.index), first_seen=at(frame), snapshot=snapshot)
        return ObjectEvent("object_new", "cam", at(frame), state)

    with Clips(ClipsConfig.model_validate({"folder": folder}), SystemClock()) as sink:
        items = media(films[1], dict.fromkeys(range(50, 90), seen))
        while items:
            sink.write(items.pop(0))
        del items
        gc.collect()
        assert sum(picture() is not None for picture in pictures) <= 1


# The past in memory.


def test_the_past_begins_with_a_keyframe_and_reaches_as_far_back_as_it_is_to(
    films: dict[int, Path],
) -> None:
    for gop_s in (1, 10):
        ring = Ring(5.0, 10**9)
        for packet in packets(media(films[gop_s], {})):
            ring.add(packet)
            ring.settle(packet.time_s)
            wanted_s = max(0.0, packet.time_s - 5.0)
            kept = list(ring.since(wanted_s))
            assert kept[0].is_keyframe
            assert kept[0].time_s <= wanted_s < kept[0].time_s + gop_s + 0.001
            assert ring.begin_s is not None
            assert packet.time_s - ring.begin_s <= 5.0 + SLACK_S + gop_s
        assert not ring.was_full


def test_the_past_is_kept_for_results_that_are_late_but_not_for_ever(
    films: dict[int, Path],
) -> None:
    ring = Ring(5.0, 10**9)
    for packet in packets(media(films[1], {})):
        ring.add(packet)
        ring.settle(2.0)
    assert ring.begin_s == pytest.approx(packet.time_s - 5.0 - MAX_LATE_S, abs=1.0)


def test_the_past_takes_no_more_memory_than_it_may(
    films: dict[int, Path],
) -> None:
    items = media(films[1], {})
    size = sum(len(packet.data) for packet in packets(items))
    most = size // 20
    ring = Ring(30.0, most)
    for packet in packets(items):
        ring.add(packet)
        assert sum(len(item.data) for item in ring.since(0.0)) <= most
    assert ring.was_full
    assert ring.begin_s is not None


def test_a_past_that_is_too_large_is_told_of_once(
    films: dict[int, Path], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    large = [
        replace(item, data=item.data + bytes(20_000)) if isinstance(item, MediaPacket) else item
        for item in media(films[1], {150: crosses, 220: crosses})
    ]
    assert len(record(folder, large, ring_mb=1, before_s=20, after_s=1, audio=False)) == 2
    assert [entry.getMessage() for entry in caplog.records] == [
        "cam: clips: ring_mb 1 is too small for before_s 20; clips begin late"
    ]
