"""How many events a second go through the outbox to a broker, and what an outage costs in memory.

    python benchmarks/outbox.py redis://127.0.0.1:6379?topic=bench --events 50000
    python benchmarks/outbox.py none --events 50000
    python benchmarks/outbox.py mqtt://127.0.0.1:1 --outage 600 --rate 100

The first delivers everything, the second to somebody who takes all at once: what is ours of the
first. The third needs no broker: it measures memory while events pile up on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.events import Event, LineEvent, Moment, ObjectState, PathPoint
from sinks.queues.delivery import Deadline, Delivery
from sinks.queues.destinations import open_destinations
from sinks.queues.messages import Message, encode_in
from sinks.queues.outbox import Outbox
from sinks.queues.publishers.publisher import Outcome

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)
MOST_AHEAD = 5_000
"""Events that are written before they are delivered, at most, as no disk is as fast as memory."""


def event(number: int) -> Event:
    """A crossing of a line, as large as they usually are: ten by each object, a frame apart."""
    first, begun = Moment(1, 0.04, NOW), NOW + timedelta(seconds=number // 10)
    at = Moment(number, number / 25, NOW + timedelta(milliseconds=40 * number))
    state = ObjectState(
        object_id=f"cam1-20260101T100000.000Z-{number // 10}",
        track_id=number // 10,
        label="person",
        score=0.9,
        best_score=0.95,
        box=(1.0, 2.0, 30.0, 40.0),
        size=(480, 640),
        first_seen=first,
        last_seen=at,
        duration_s=2.0,
        stationary=False,
        zones=("yard",),
        entered_zones=("yard",),
        dwell_s={"yard": 2.0},
        path=tuple(PathPoint(0.1, 0.2, begun + timedelta(seconds=n / 5)) for n in range(5)),
        snapshot=None,
    )
    return LineEvent(
        "line_crossed", "cam1", at, "door", state, "in", number, 0, seq=number, run="bench"
    )


class Nobody:
    """A publisher to somebody who takes everything at once."""

    keep_alive_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:  # noqa: ARG002
        """See `Publisher.publish`."""
        return Outcome([message.seq for message in messages])

    def __exit__(self, *_error: object) -> None:
        pass


def rss_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def through(delivery: Delivery, count: int) -> dict[str, object]:
    """Send events as fast as they can be written, until the last is acknowledged."""
    events, pause = [event(number) for number in range(1, count + 1)], threading.Event()
    begun_s, cpu_s = time.monotonic(), time.process_time()
    for number, item in enumerate(events):
        while number - delivery.delivered > MOST_AHEAD:
            pause.wait(0.002)
        delivery.write(item)
    while delivery.delivered < count:
        pause.wait(0.002)
    seconds, cpu_s = time.monotonic() - begun_s, time.process_time() - cpu_s
    assert delivery.outbox.dropped == 0
    return {
        "events": count,
        "delivered_per_s": round(count / seconds),
        "cpu_us_per_event": round(cpu_s / count * 1e6),
    }


def outage(delivery: Delivery, seconds: float, rate: float) -> dict[str, object]:
    """Send events at a rate to nobody; memory after each tenth of the time."""
    begun_s, number, pause = time.monotonic(), 0, threading.Event()
    mb: list[float] = []
    while (passed_s := time.monotonic() - begun_s) < seconds:
        while number < passed_s * rate:
            number += 1
            delivery.write(event(number))
        if passed_s > seconds * (len(mb) + 1) / 10:
            mb.append(round(rss_mb(), 1))
        pause.wait(0.01)
    return {
        "events": number,
        "mb": [*mb, round(rss_mb(), 1)],
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "dropped": delivery.outbox.dropped,
    }


def make(url: str, folder: Path) -> Delivery:
    """A delivery as `watch` makes one."""
    clock = SystemClock()
    if url == "none":
        box = Outbox(folder / "outbox.sqlite", "none", clock)
        return Delivery(box, encode_in("watchline"), Nobody(), clock=clock)
    config = load_config(None, {}, {"sinks": [url], "outbox": {"path": folder}})
    deadline = Deadline(clock, 0.5)
    (delivery,) = open_destinations(config.sinks, config.outbox, clock, deadline).values()
    return delivery


def main() -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("url")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--outage", type=float, help="seconds without a broker")
    parser.add_argument("--rate", type=float, default=100.0, help="events a second then")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with make(arguments.url, Path(folder)) as delivery:
            if arguments.outage is None:
                found = through(delivery, arguments.events)
            else:
                found = outage(delivery, arguments.outage, arguments.rate)
        json.dump(found, sys.stdout)
        print()


if __name__ == "__main__":
    main()
