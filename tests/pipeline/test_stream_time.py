"""The time of streams: what counts as watched, live and of stored results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from pipeline.stream_time import StreamClock, keep_time
from pipeline.types import Lapse, PassReason, Result
from tests.kinds import MakeDetections, MakeFrame

At = Callable[..., Result]


@pytest.fixture
def at(make_frame: MakeFrame, make_detections: MakeDetections) -> At:
    def make(
        time_s: float,
        passed: PassReason | None = None,
        lapse: Lapse = Lapse(),  # noqa: B008
        source_id: str = "cam",
    ) -> Result:
        frame = make_frame(source_id, pts_s=time_s)
        return Result(
            frame, make_detections(), lambda frame, *_: frame.picture, passed=passed, lapse=lapse
        )

    return make


def lapses(results: Sequence[Result]) -> list[Lapse]:
    return [result.lapse for result in keep_time(results)]


def watched(results: Sequence[Result]) -> list[float]:
    return [round(lapse.watched_s, 6) for lapse in lapses(results)]


def test_time_counts_since_the_last_look(at: At) -> None:
    found = lapses([at(5), at(5.2), at(5.4, "rate"), at(5.6, "busy"), at(5.7)])
    assert [round(lapse.watched_s, 6) for lapse in found] == [0, 0.2, 0.2, 0.4, 0.5]
    assert all(lapse.evident and not lapse.outage for lapse in found)


def test_a_still_frame_vouches_for_all_before_it(at: At) -> None:
    *_, last, after = lapses([at(0), at(1, "rate"), at(2, "still"), at(3, "rate"), at(4), at(5)])
    assert (last.watched_s, last.still_s, last.unseen_s) == (4, 2, 2)
    assert (after.watched_s, after.still_s) == (1, 0)


def test_neither_an_outage_nor_a_step_back_takes_time(at: At) -> None:
    found = lapses([at(0), at(30), at(61), at(11), at(12)])
    assert [lapse.watched_s for lapse in found] == [0, 30, 0, 0, 1]
    assert [lapse.outage for lapse in found] == [False, False, True, False, False]


def test_sources_have_times_of_their_own(at: At) -> None:
    assert watched([at(0), at(9, source_id="b"), at(1), at(11, source_id="b")]) == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("between", "evident"),
    [
        ([25.0], True),
        ([25.0, 50.0], False),
        ([25.0, 50.0, 3650.0], False),  # an outage among frames
        ([3620.0, 3650.0], False),
        ([10.0, 4.0], False),  # a step back
    ],
)
def test_what_is_stored_of_a_lapse_makes_it_anew(
    at: At, between: Sequence[float], evident: bool
) -> None:
    end_s = between[-1] + 3.3
    *_, live = lapses([at(0), *(at(time_s, "still") for time_s in between), at(end_s)])
    assert live.evident is evident
    known = Lapse(0.0 if live.evident else live.watched_s, live.still_s)
    _, again = lapses([at(0), at(end_s, lapse=known)])
    assert (again.watched_s, again.still_s) == (live.watched_s, live.still_s)
    assert again.outage is live.outage


def test_a_line_that_was_lost_takes_no_time_with_it(at: At) -> None:
    assert watched([at(0), at(20, lapse=Lapse(8.0))]) == [0, 20]


def test_many_small_errors_make_no_large_one(at: At) -> None:
    clock = StreamClock()
    clock.follow(at(0))
    for index in range(1, 10_000):
        last = clock.follow(at(index / 30, "rate"))
    assert last.lapse.watched_s == round(9_999 / 30, 6)
