"""The outputs that a configuration names, made ready to run."""

from __future__ import annotations

from pipeline.clock import Clock
from pipeline.config import Config
from sinks.annotated.push import Push, push_addresses
from sinks.copied.configured import open_copied
from sinks.outputs import Outputs, open_outputs
from sinks.queues.destinations import open_destinations
from sinks.queues.home_assistant import Place


def open_sinks(config: Config, clock: Clock) -> Outputs:
    """Make the sinks of `watch`; none touches a file or the network until it is entered.

    Raises:
        ConfigError: an output makes no sense; see `open_outputs` and `open_destinations`.
    """
    source_ids = config.source_ids()
    push = None
    if config.push is not None:
        push = Push(push_addresses(config.push, source_ids), clock)
    return open_outputs(
        source_ids,
        [item.source for item in config.sources],
        config.record,
        config.detections,
        config.events,
        snapshots=config.snapshots,
        report=config.report,
        display=config.display,
        push=push,
        dialect=config.dialect,
        encoding=config.encoding,
        destinations=open_destinations(
            config.sinks, config.outbox, clock, places=[_place(config, i) for i in source_ids]
        ),
        media=open_copied(config.segments, config.clips, clock, source_ids),
    )


def _place(config: Config, source_id: str) -> Place:
    """A source as others are told of it."""
    rules = config.rules(source_id)
    zones, lines = [zone.name for zone in rules.zones], [line.name for line in rules.lines]
    return Place(source_id, zones, lines)
