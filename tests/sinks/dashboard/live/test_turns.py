"""Whose picture is made when: by hand, without threads and without pictures."""

from __future__ import annotations

import math

import pytest

from sinks.dashboard.live.turns import Seat, Turns, Want
from sinks.dashboard.live.view import Shot, View

GATE, YARD = View("gate", 640, False), View("yard", 640, False)


class Room:
    """Turns with viewers who note what they are handed."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.count = 0
        self.made: list[tuple[float, View]] = []

    def seat(self, *wants: Want) -> tuple[Seat, list[int]]:
        """A viewer, and the numbers of what it gets."""
        got: list[int] = []
        seat = Seat(lambda shot: got.append(shot.number), lambda: None, free=True)
        for want in wants:
            seat.wants[want.view.camera] = want
        self.turns.seats[seat] = None
        return seat, got

    def result(self, camera: str) -> int:
        self.count += 1
        self.turns.came(camera, self.count)
        return self.count

    def look(self, now_s: float) -> float:
        """Make all that is to be made now; when to look again."""
        while True:
            at_s, view = self.turns.look(now_s)
            if view is None:
                return at_s
            number = self.turns.begin(view, now_s)
            self.made.append((now_s, view))
            self.turns.finish(Shot(view, number, b"", {}, 0.0))


def test_nothing_is_made_while_nobody_looks() -> None:
    room = Room()
    room.result("gate")
    assert room.look(0.0) == math.inf
    assert not room.made


def test_ten_viewers_of_one_camera_cost_one_picture() -> None:
    room = Room()
    viewers = [room.seat(Want(GATE, 0.1)) for _ in range(10)]
    number = room.result("gate")
    assert room.look(5.0) == math.inf
    assert [got for _, got in viewers] == [[number]] * 10
    assert room.made == [(5.0, GATE)]
    assert not any(seat.free or seat.wants for seat, _ in viewers)


def test_other_sizes_are_other_pictures() -> None:
    room = Room()
    large = View("gate", 1280, False)
    room.seat(Want(GATE, 0.1))
    room.seat(Want(large, 0.1))
    room.result("gate")
    room.look(5.0)
    assert room.made == [(5.0, GATE), (5.0, large)]


def test_a_viewer_waits_for_a_newer_result_and_others_wake_nobody() -> None:
    room = Room()
    seen = room.result("gate")
    _, got = room.seat(Want(GATE, 0.1, after=seen))
    assert room.look(5.0) == math.inf
    assert not room.turns.came("yard", 2)
    assert room.turns.came("gate", 3)
    room.look(5.0)
    assert got == [3]


def test_a_camera_that_nobody_knows_costs_nothing() -> None:
    room = Room()
    room.seat(*(Want(View(f"cam{number}", 640, False), 0.1) for number in range(256)))
    assert room.look(5.0) == math.inf
    room.result("gate")
    assert room.look(5.0) == math.inf
    assert not room.made


def test_what_is_not_due_yet_waits_until_then() -> None:
    room = Room()
    _, got = room.seat(Want(GATE, 0.1, due_s=6.0))
    assert not room.turns.came("gate", 1)
    assert room.look(5.0) == 6.0
    assert not got
    assert not room.turns.came("gate", 2), "a result alone does not make it due"
    room.look(6.0)
    assert got == [2]


def test_a_picture_is_made_as_often_as_the_fastest_viewer_asks() -> None:
    room = Room()
    first = room.result("gate")
    (seat, got), _ = room.seat(Want(GATE, 1.0)), room.seat(Want(GATE, 0.1))
    room.look(5.0)
    second = room.result("gate")
    room.seat(Want(GATE, 0.1, after=first))
    assert room.look(5.04) == pytest.approx(5.1)
    seat.wants["gate"], seat.free = Want(GATE, 1.0, after=first, due_s=6.0), True
    assert room.look(5.1) == 6.0
    assert [at_s for at_s, _ in room.made] == [5.0, 5.1]
    room.look(6.0)
    assert got == [first, second], "the slower viewer takes what was made for the faster"
    assert len(room.made) == 2


def test_a_new_viewer_gets_no_old_picture_of_a_slow_one() -> None:
    room = Room()
    room.seat(Want(GATE, 10.0))
    first = room.result("gate")
    room.look(5.0)
    _, got = room.seat(Want(GATE, 0.5))
    room.look(5.2)
    newest = room.result("gate")
    _, later = room.seat(Want(GATE, 0.5))
    room.look(9.0)
    assert (got, later) == ([first], [newest])
    assert [at_s for at_s, _ in room.made] == [5.0, 9.0]


def test_who_takes_nothing_is_made_nothing() -> None:
    room = Room()
    seat, got = room.seat(Want(GATE, 0.1), Want(YARD, 0.1))
    first = room.result("gate")
    room.result("yard")
    assert room.look(5.0) == math.inf, "one at a time: the next is made when it can be sent"
    room.result("yard")
    newest = room.result("yard")
    assert room.look(9.0) == math.inf
    assert got == [first]
    seat.free = True
    room.look(9.0)
    assert got == [first, newest]
    assert room.made == [(5.0, GATE), (9.0, YARD)]


def test_what_has_waited_longest_comes_first() -> None:
    room = Room()
    room.result("gate")
    room.result("yard")
    room.seat(Want(GATE, 0.1, due_s=4.0))
    room.seat(Want(YARD, 0.1, due_s=3.0))
    room.look(5.0)
    assert [view for _, view in room.made] == [YARD, GATE]


def test_a_fault_is_tried_again_at_the_pace_of_the_viewer() -> None:
    room = Room()
    room.result("gate")
    room.seat(Want(GATE, 0.1))
    assert room.turns.look(5.0)[1] == GATE
    room.turns.begin(GATE, 5.0)  # and no picture comes of it
    again_s, view = room.turns.look(5.05)
    assert view is None
    assert again_s == pytest.approx(5.1)
    assert room.turns.look(5.2)[1] == GATE


def test_what_was_forgotten_meanwhile_is_not_kept() -> None:
    room = Room()
    number = room.result("gate")
    _, got = room.seat(Want(GATE, 0.1))
    room.turns.begin(GATE, 5.0)
    room.turns.forget(["gate"])
    room.turns.finish(Shot(GATE, number, b"", {}, 0.0))
    assert room.look(5.0) == math.inf
    assert got == []


def test_when_the_last_viewer_goes_no_picture_is_kept() -> None:
    room = Room()
    room.result("gate")
    seat, _ = room.seat(Want(GATE, 10.0))
    room.look(5.0)
    room.turns.leave(seat)
    room.seat(Want(GATE, 10.0))
    room.look(6.0)
    assert len(room.made) == 2
