"""Messages as rows of a spool's table."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sinks.queues.messages import Draft, Gap, Message, SeqRange

COLUMNS = "seq, made_s, key, kind, source, body, gap"
PLACES = "(?, ?, ?, ?, ?, ?, ?)"


def to_row(message: Message) -> tuple[object, ...]:
    """The values of a message, in the order of `COLUMNS`."""
    draft = message.draft
    return (
        *(message.seq, message.made_s, draft.key, draft.kind, draft.source_id),
        *(draft.body, _gap_text(message.gap)),
    )


def _gap_text(gap: Gap | None) -> str | None:
    return None if gap is None else json.dumps([gap.seqs, gap.reasons])


def from_row(row: tuple[int, float, str, str, str, bytes, str | None]) -> Message:
    seq, made_s, key, kind, source_id, body, text = row
    gap = None
    if text is not None:
        seqs, reasons = json.loads(text)
        gap = Gap(tuple((first, last) for first, last in seqs), tuple(reasons))
    return Message(seq, Draft(key, kind, source_id, body), made_s, gap)


def ranges(seqs: Iterable[int]) -> list[SeqRange]:
    """Numbers as ranges without holes, in order."""
    found: list[SeqRange] = []
    for seq in sorted(seqs):
        if found and found[-1][1] + 1 == seq:
            found[-1] = (found[-1][0], seq)
        else:
            found.append((seq, seq))
    return found
