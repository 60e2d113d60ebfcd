from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ledger import Counts, Ledger

FATES = ["inferred", "queue/overflow", "detect/failed"]


def test_what_is_neither_inferred_nor_dropped_is_in_flight() -> None:
    counts = Counts(captured=10, inferred=6, dropped={"queue/overflow": 2, "decode/corrupt": 1})
    assert counts.dropped_total == 3
    assert counts.in_flight == 1


def test_a_skipped_frame_is_captured_and_dropped_at_once() -> None:
    ledger = Ledger()
    ledger.skipped("cam", "corrupt")
    ledger.skipped("cam", "late", 3)
    dropped = {"decode/corrupt": 1, "decode/late": 3}
    assert ledger.counts("cam") == Counts(captured=4, inferred=0, dropped=dropped)


def test_sources_are_counted_apart_and_together() -> None:
    ledger = Ledger()
    for source_id in ("a", "a", "b"):
        ledger.captured(source_id)
    ledger.inferred("a")
    ledger.dropped("b", "queue", "overflow")
    assert ledger.counts("a") == Counts(captured=2, inferred=1)
    assert ledger.counts("b") == Counts(captured=1, dropped={"queue/overflow": 1})
    assert ledger.total() == Counts(captured=3, inferred=1, dropped={"queue/overflow": 1})


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(FATES))))
def test_captured_is_inferred_plus_dropped(frames: list[tuple[str, str]]) -> None:
    ledger = Ledger()
    for source_id, fate in frames:
        ledger.captured(source_id)
        if fate == "inferred":
            ledger.inferred(source_id)
        else:
            ledger.dropped(source_id, *fate.split("/"))
    total = ledger.total()
    assert total.in_flight == 0
    assert total.captured == len(frames)
    assert total.dropped_total == sum(fate != "inferred" for _, fate in frames)
