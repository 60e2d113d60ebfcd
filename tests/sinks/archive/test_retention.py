"""Which recordings go: always the oldest, no more than need be, and down to the limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sinks.archive.recording_names import RecordingKey
from sinks.archive.retention import Recording, Shelves

KEYS = st.builds(RecordingKey, st.integers(0, 50), st.integers(1, 3))
CAMERA = st.dictionaries(KEYS, st.integers(0, 100), max_size=12)
ARCHIVE = st.dictionaries(st.sampled_from(["gate", "yard", "roof"]), CAMERA)
Archive = dict[str, dict[RecordingKey, int]]
Taken = list[tuple[str, Recording]]


def shelves_of(archive: Archive) -> Shelves:
    shelves = Shelves()
    for source_id, recordings in archive.items():
        for key, size in recordings.items():
            shelves.put(source_id, Recording(key, size))
    return shelves


def left_of(archive: Archive, taken: Taken) -> Archive:
    gone = {(source_id, recording.key) for source_id, recording in taken}
    assert len(gone) == len(taken), "nothing goes twice"
    return {
        source_id: {key: size for key, size in recordings.items() if (source_id, key) not in gone}
        for source_id, recordings in archive.items()
    }


@given(ARCHIVE, st.none() | st.integers(0, 60), st.none() | st.integers(0, 300))
def test_of_each_camera_the_oldest_go_until_its_limits_hold(
    archive: Archive, oldest_ms: int | None, max_size: int | None
) -> None:
    shelves = shelves_of(archive)
    taken = list(shelves.take_surplus(oldest_ms, max_size))
    left = left_of(archive, taken)
    for source_id, before in archive.items():
        went = [recording.key for name, recording in taken if name == source_id]
        kept = left[source_id]
        assert went == sorted(before)[: len(went)]
        if oldest_ms is not None:
            assert all(key.begun_ms >= oldest_ms for key in kept)
        if max_size is not None:
            assert sum(kept.values()) <= max_size or len(kept) == 1
        if went:  # and with the last one that went a limit was exceeded
            last = went[-1]
            too_old = oldest_ms is not None and last.begun_ms < oldest_ms
            too_much = max_size is not None and sum(kept.values()) + before[last] > max_size
            assert too_old or too_much
    assert len(shelves) == sum(len(recordings) for recordings in left.values())


@given(ARCHIVE, st.integers(0, 2000))
def test_for_room_the_oldest_of_all_cameras_go(archive: Archive, size: int) -> None:
    taken = list(shelves_of(archive).take_oldest(size))
    everything = sorted(key for recordings in archive.values() for key in recordings)
    assert [recording.key for _, recording in taken] == everything[: len(taken)]
    freed = sum(recording.size for _, recording in taken)
    assert freed >= size or len(taken) >= len(everything) - 1
    if taken:
        assert freed - taken[-1][1].size < size
        assert len(taken) < len(everything)
    left_of(archive, taken)


@given(CAMERA, st.integers(0, 300))
def test_what_comes_late_takes_its_place_by_age(
    recordings: dict[RecordingKey, int], max_size: int
) -> None:
    """The clock has jumped back: the recordings that were made last are the oldest by name."""
    shelves = Shelves()
    for key in sorted(recordings, reverse=True):
        shelves.put("gate", Recording(key, recordings[key]))
    taken = [recording.key for _, recording in shelves.take_surplus(None, max_size)]
    assert taken == sorted(recordings)[: len(taken)]


def test_shelves_know_what_is_in_them() -> None:
    shelves = shelves_of({"gate": {RecordingKey(1, 1): 5, RecordingKey(2, 1): 5}, "yard": {}})
    assert (shelves.keys("gate"), shelves.keys("nowhere")) == (
        {RecordingKey(1, 1), RecordingKey(2, 1)},
        set(),
    )
    list(shelves.take_oldest(1))
    assert shelves.keys("gate") == {RecordingKey(2, 1)}
