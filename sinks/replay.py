"""The outputs of `replay`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.events import Event
from pipeline.protocols import Sink
from pipeline.types import Result
from sinks.dialects.own import event_record
from sinks.jsonlines import Record
from sinks.outputs import open_outputs


class ReplayOutputs:
    """See `pipeline.commands.replay.ReplayTools`."""

    def record(self, event: Event, /) -> Record:
        """The event as `events.jsonl` has it."""
        return event_record(event)

    def open(
        self, inputs: Sequence[Path], events: Path | None, report: Path | None
    ) -> tuple[Sequence[Sink[Result]], Sequence[Sink[Event]]]:
        """The outputs, ready to be entered.

        Raises:
            ConfigError: one cannot be written, or would overwrite an input.
        """
        addresses = [str(path) for path in inputs]
        outputs = open_outputs([], addresses, None, None, events, report=report, pictures=False)
        for sink in outputs.all().values():
            sink.prepare()
        return list(outputs.results.values()), list(outputs.events.values())
