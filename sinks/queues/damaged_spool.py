"""Opening a spool in the place of one that is damaged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pipeline.clock import Clock
from sinks.queues.messages import Gap, Message, gap_message
from sinks.queues.spool import Spool, SpoolDamaged
from sinks.sqlite_file import set_aside

log = logging.getLogger(__name__)


def open_spool(
    path: Path, stream: str, clock: Clock, lost: Callable[[datetime], Message | None]
) -> Spool:
    """Open a spool; a damaged file is set aside and a new one begun.

    Args:
        path: of the file.
        stream: names what is in it.
        clock: for the name of a damaged file.
        lost: the first message of a new file, about what was in the damaged one.
    Raises:
        ConfigError: there can be none.
    """
    try:
        return Spool(path, stream)
    except SpoolDamaged as error:
        now = clock.now()
        aside = set_aside(path, now)
        words = "%s: the outbox is damaged (%s); kept as %s, a new one begins"
        log.error(words, stream, error, aside.name)
    spool, message = Spool(path, stream), lost(now)
    if message is not None:
        spool.change([message], (), ())
    return spool


def damage(stream: str, first: int, last: int, now: datetime) -> Message | None:
    """What tells of the messages of a damaged file; None where all of them were delivered.

    Args:
        stream: they were in.
        first: the lowest number of those that may not be delivered.
        last: the highest that was stored, 0 where nobody knows what an earlier run left.
        now: the time.
    """
    if last == 0:
        # No stream is as fast as a message a microsecond: the clock is past any counter.
        return gap_message(stream, Gap((), ("damaged",)), now, seq=int(now.timestamp() * 1e6))
    return gap_message(stream, Gap(((first, last),), ("damaged",)), now) if first <= last else None
