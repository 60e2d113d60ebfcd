"""Messages: what a message queue is given of events."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from pipeline.clock import utc
from pipeline.events import Event
from sinks.dialects import DIALECTS

GapReason = Literal["size", "age", "memory", "damaged"]
SeqRange = tuple[int, int]
"""First and last of sequence numbers without a hole."""

GAP = "outbox_gap"
"""The kind of a message that stands for lost ones."""
OVERHEAD_BYTES = 200
"""What a message takes in the outbox besides its body, about."""


class Amount(NamedTuple):
    """Of messages."""

    messages: int
    bytes: int
    """About."""

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(self.messages + other.messages, self.bytes + other.bytes)

    def less(self, other: Amount) -> Amount:
        """Without some of them."""
        return Amount(self.messages - other.messages, self.bytes - other.bytes)


NOTHING = Amount(0, 0)


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that has no number yet."""

    key: str
    """The same whenever it is sent again, and no other message has it."""
    kind: str
    """Of its event."""
    source_id: str
    body: bytes
    """UTF-8 JSON."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What was lost."""

    seqs: tuple[SeqRange, ...]
    reasons: tuple[GapReason, ...]

    @property
    def count(self) -> int:
        """Number of messages."""
        return sum(last - first + 1 for first, last in self.seqs)

    def and_then(self, later: Gap) -> Gap:
        """Both; ranges that touch become one."""
        seqs = list(self.seqs)
        for first, last in later.seqs:
            if seqs and seqs[-1][1] + 1 == first:
                seqs[-1] = (seqs[-1][0], last)
            else:
                seqs.append((first, last))
        return Gap(tuple(seqs), tuple(sorted({*self.reasons, *later.reasons})))


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the outbox."""

    seq: int
    """Rises by one from message to message of a stream, over all runs."""
    draft: Draft
    made_s: float
    """When, in seconds since 1970 UTC."""
    gap: Gap | None = None
    """What it stands for; None for an ordinary one. Its `seq` is then the last that was lost."""

    @property
    def size(self) -> int:
        """Bytes that it takes in the outbox, about."""
        return len(self.draft.body) + OVERHEAD_BYTES

    def headers(self, stream: str) -> Mapping[str, str]:
        """What goes beside the body where the protocol has a place for it."""
        draft = self.draft
        return {
            "stream": stream,
            "seq": str(self.seq),
            "key": draft.key,
            "kind": draft.kind,
            "source": draft.source_id,
        }


# Made once: `json.dumps` with settings of its own would make one for each message.
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

Encode = Callable[[Event], Sequence[Draft]]


def encode_in(dialect: str) -> Encode:
    """What turns an event into messages in a dialect, a key of `DIALECTS`."""
    records = DIALECTS[dialect]

    def encode(event: Event) -> list[Draft]:
        return [
            Draft(
                event.event_id if number == 0 else f"{event.event_id}.{number}",
                event.kind,
                event.source_id,
                _to_json(record).encode(),
            )
            for number, record in enumerate(records(event))
        ]

    return encode


def gap_message(stream: str, gap: Gap, when: datetime, *, seq: int | None = None) -> Message:
    """The message that stands for lost ones, in the place of the last of these.

    Args:
        stream: it was in.
        gap: what was lost.
        when: it became known.
        seq: its own number, where it is unknown which were lost.
    """
    last = gap.seqs[-1][1] if seq is None else seq
    first = gap.seqs[0][0] if gap.seqs else last
    key = f"{stream}-gap-{first}-{last}"
    record = {
        "event": GAP,
        "id": key,
        "stream": stream,
        "lost": gap.count if gap.seqs else None,
        "seqs": gap.seqs,
        "reasons": gap.reasons,
        "wall_time": utc(when),
    }
    return Message(last, Draft(key, GAP, "", json.dumps(record).encode()), when.timestamp(), gap)
