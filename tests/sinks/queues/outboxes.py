"""What tests of the outbox share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sinks.queues.messages import Draft, Message
from sinks.queues.outbox import Outbox
from tests.clock import FakeClock


def drafts(first: int, last: int, size: int = 20) -> list[Draft]:
    """Messages that are told apart by their keys: `k<first>` to `k<last>`."""
    return [
        Draft(f"k{number}", "object_new", "cam1", json.dumps({"n": number}).encode().ljust(size))
        for number in range(first, last + 1)
    ]


@contextmanager
def outbox(folder: Path, clock: FakeClock | None = None, **bounds: Any) -> Iterator[Outbox]:
    with Outbox(folder / "outbox.sqlite", "test", clock or FakeClock(), **bounds) as box:
        yield box


def stored(box: Outbox, first: int, last: int, size: int = 20) -> None:
    """Append and commit."""
    box.append(drafts(first, last, size))
    box.commit()


def keys(messages: list[Message]) -> list[str]:
    return [message.draft.key for message in messages]


def names(first: int, last: int) -> list[str]:
    return [f"k{number}" for number in range(first, last + 1)]


def take_all(box: Outbox) -> list[Message]:
    """Deliver everything."""
    messages: list[Message] = []
    while not box.drained():
        taken = box.take(0)
        box.settle([message.seq for message in taken])
        messages += taken
    return messages
