"""The outputs that a configuration names, made ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.annotate import Style
from pipeline.clock import Clock
from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.extras import needs_package
from pipeline.recording_config import RecordConfig
from sinks.annotated.push import Push, push_addresses
from sinks.archive.archive import Archive
from sinks.copied.configured import open_copied
from sinks.outputs import Outputs, is_one_file, open_outputs
from sinks.queues.destinations import open_destinations
from sinks.queues.places import Places

if TYPE_CHECKING:
    from sinks.dashboard.dashboard import Dashboard
    from sinks.dashboard.recordings import Kind


def open_sinks(
    config: Config,
    clock: Clock,
    live: Sequence[str] = (),
    style: Style | None = None,
    places: Places | None = None,
) -> Outputs:
    """Make the sinks of `watch`; none touches a file or the network until it is entered.

    Args:
        config: names them.
        clock: for outages, and for the age of recordings.
        live: ids of the sources that are cameras.
        style: what is drawn on the dashboard besides the objects.
        places: what is watched, where that may change.
    Raises:
        ConfigError: an output makes no sense; see `open_outputs` and `open_destinations`.
    """
    source_ids = config.source_ids()
    push = None
    if config.push is not None:
        push = Push(push_addresses(config.push, source_ids), clock, template=config.push)
    # Where there is a page, cameras may be added to a run that has none.
    cameras = bool(live) or config.has_page
    archive = _record_archive(config.record, cameras, clock)
    return open_outputs(
        source_ids,
        [item.source for item in config.sources],
        None if config.record is None else config.record.folder,
        config.detections,
        config.events,
        snapshots=config.snapshots,
        report=config.report,
        display=config.display,
        dashboard=_dashboard(config, clock, style or Style(), archive),
        push=push,
        dialect=config.dialect,
        encoding=config.encoding,
        destinations=open_destinations(
            config.sinks, config.outbox, clock, places=places or Places(config)
        ),
        media=open_copied(config.segments, config.clips, clock, source_ids),
        archive=archive,
        archived=() if archive is None else live,
        segment_s=None if config.record is None else config.record.segment_s,
    )


def _dashboard(
    config: Config, clock: Clock, style: Style, archive: Archive | None
) -> Dashboard | None:
    """The page, if there is to be one.

    Raises:
        ConfigError: a package is missing.
    """
    if config.dashboard is None or not config.has_page:
        return None
    with needs_package("fastapi", "the dashboard", "dashboard"):
        from sinks.dashboard.dashboard import Dashboard
    folders: dict[Kind, Path] = {} if archive is None else {"annotated": archive.folder}
    if config.segments is not None:
        folders["segments"] = config.segments.folder
    if config.clips is not None:
        folders["clips"] = config.clips.folder
    return Dashboard(config.dashboard, folders, style, clock)


def _record_archive(record: RecordConfig | None, cameras: bool, clock: Clock) -> Archive | None:
    """Where the annotated video of cameras is kept; None where none is kept in a folder.

    Raises:
        ConfigError: a single file is to be cut or pruned.
    """
    if record is None:
        return None
    if is_one_file(record.folder):
        for key in ("segment_s", "retention"):
            if key in record.model_fields_set:
                raise ConfigError(f"record.{key}: needs a folder, and {record.folder} is one file")
        return None
    return Archive(record.folder, record.retention, clock) if cameras else None
