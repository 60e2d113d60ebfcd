"""Turns detections into events: a class of object appeared at a source, or disappeared.

Single missed or invented detections must not make events: a class appears once it was seen in
`appear_frames` frames in a row, and disappears once it was absent for `disappear_frames` in a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.events import ObjectEvent, ObjectEventKind
from pipeline.types import Result

APPEAR_FRAMES = 3
DISAPPEAR_FRAMES = 15


@dataclass(slots=True)
class _Presence:
    """Whether one class is at one source."""

    present: bool = False
    streak: int = 0
    """Frames in a row that contradict `present`."""
    streak_start: int = 0
    """Index of the first of them."""
    best_score: float = 0.0
    """Since it appeared."""


def presence(
    results: Iterable[Result],
    appear_frames: int = APPEAR_FRAMES,
    disappear_frames: int = DISAPPEAR_FRAMES,
) -> Iterator[Result]:
    """Add the events "appeared" and "disappeared" to results.

    An object that is still there when its source ends has not disappeared. Only inferred frames
    count.

    Args:
        results: of any number of sources, each in order.
        appear_frames: frames in a row that show a class before it counts as there.
        disappear_frames: frames in a row without it before it counts as gone.
    Yields:
        The same results, in order, with the events that became known at each.
    """
    states: defaultdict[str, dict[str, _Presence]] = defaultdict(dict)
    for result in results:
        if not result.inferred:
            yield result
            continue
        at_source = states[result.frame.source_id]
        seen = _seen(result)
        for label in seen:
            at_source.setdefault(label, _Presence())
        events = []
        for label, state in at_source.items():
            number, score = seen.get(label, (0, 0.0))
            patience = disappear_frames if state.present else appear_frames
            kind = _advance(state, result.frame.index, number > 0, score, patience)
            if kind is not None:
                events.append(_event(kind, result, label, number, state))
        yield replace(result, events=events) if events else result


def _seen(result: Result) -> Mapping[str, tuple[int, float]]:
    """Number and best score of each class in one frame."""
    seen: dict[str, tuple[int, float]] = {}
    scores = result.detections.scores
    for label, score in zip(result.detections.names, scores, strict=True):
        number, best = seen.get(label, (0, 0.0))
        seen[label] = (number + 1, max(best, float(score)))
    return seen


def _advance(
    state: _Presence, index: int, seen: bool, score: float, patience: int
) -> ObjectEventKind | None:
    """Take one frame into account; the event that it completes, if any."""
    if not state.present and state.streak == 0:
        state.best_score = 0.0
    state.best_score = max(state.best_score, score)
    if seen == state.present:
        state.streak = 0
        return None
    if state.streak == 0:
        state.streak_start = index
    state.streak += 1
    if state.streak < patience:
        return None
    state.present, state.streak = seen, 0
    return "appeared" if seen else "disappeared"


def _event(
    kind: ObjectEventKind, result: Result, label: str, number: int, state: _Presence
) -> ObjectEvent:
    frame = result.frame
    return ObjectEvent(
        kind=kind,
        source_id=frame.source_id,
        label=label,
        index=frame.index,
        pts_s=frame.pts_s,
        wall_time=frame.wall_time,
        count=number,
        score=round(state.best_score, 4),
        since_index=state.streak_start,
    )
