"""What a configuration says: checked against sources and model, and made ready to run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from pipeline.analysis import Analysis
from pipeline.annotate import Style, annotate
from pipeline.clock import Clock
from pipeline.config import Config
from pipeline.console import download_bar
from pipeline.errors import ConfigError
from pipeline.events import Event
from pipeline.graph import Pipeline
from pipeline.models import ReadyDetector, load_detector
from pipeline.packets import MediaSink, tap_of
from pipeline.privacy import Masked
from pipeline.protocols import Detector, Sink, Source
from pipeline.recording_config import CopiedConfig
from pipeline.rules.config import PlaceConfig
from pipeline.rules.objects import ObjectSettings
from pipeline.rules.rule_book import RuleBook
from pipeline.types import Result

TRAIL_S = 2.0
"""For how long the way of an object is drawn."""


def make_analysis(
    config: Config, *, snapshots: bool, trails: bool, rules: RuleBook | None = None
) -> Analysis:
    """What follows the detector.

    Args:
        config: tracking, rules and masks.
        snapshots: keep the best picture of each object.
        trails: remember where objects were lately, for drawing.
        rules: to begin with those of `config`, where they may change.
    """
    rules = rules or RuleBook(config.rules)
    objects = ObjectSettings(config.objects.appear_frames, config.objects.heartbeat_s, snapshots)
    trail_s = TRAIL_S if trails and config.draw.trails else 0.0
    return Analysis(config.tracker(), rules.of, objects, trail_s)


def drawing_style(config: Config) -> Style:
    """What is drawn besides the objects."""
    draw = config.draw
    return Style(draw.zones, draw.trails, draw.clock, config.clock_zone)


def masked(source: Source, config: Config) -> Source:
    """A source without what nobody may see."""
    masks = [item.mask() for item in config.privacy_masks if item.is_at(source.source_id)]
    return Masked(source, masks) if masks else source


def check_sources(config: Config, source_ids: Collection[str]) -> None:
    """Make sure that rules and masks are for sources that there are.

    Raises:
        ConfigError: one is not; names its path in the configuration.
    """
    for path, item in config.placed():
        for number, source_id in enumerate(item.sources or ()):
            _check_known(f"{path}.sources.{number}", source_id, source_ids)


def places_naming(config: Config, source_id: str) -> Iterator[str]:
    """The paths in a configuration of all that is for a source by its name."""
    items: list[tuple[str, PlaceConfig | CopiedConfig]] = [*config.placed(), *config.copied()]
    for path, item in items:
        for number, name in enumerate(item.sources or ()):
            if name == source_id:
                yield f"{path}.sources.{number}"


def _check_known(path: str, source_id: str, source_ids: Collection[str]) -> None:
    if source_id not in source_ids:
        raise ConfigError(
            f"{path}: there is no source {source_id!r}; there are: {', '.join(source_ids)}"
        )


def check_copied(config: Config, sources: Sequence[Source]) -> None:
    """Make sure that what is to be copied is there, and may be seen.

    Args:
        config: segments and clips.
        sources: all of the run, without their masks.
    Raises:
        ConfigError: a source is unknown, has no video of its own, or something in it is hidden.
    """
    ids = [source.source_id for source in sources]
    for key, copied in config.copied():
        for number, name in enumerate(copied.sources or ()):
            _check_known(f"{key}.sources.{number}", name, ids)
        for source in sources:
            if copied.takes(source.source_id):
                _check_may_be_copied(config, key, source)
    _check_folders(config)


def _check_folders(config: Config) -> None:
    """Make sure that no two outputs keep their recordings in the same folder."""
    holder: dict[Path, str] = {}
    recorded = [] if config.record is None else [("record", config.record.folder)]
    for key, folder in (*recorded, *((key, copied.folder) for key, copied in config.copied())):
        other = holder.setdefault(folder.resolve(), key)
        if other != key:
            raise ConfigError(f"{key}.folder: {folder}: is that of {other}; choose another folder")


def _check_may_be_copied(config: Config, key: str, source: Source) -> None:
    source_id = source.source_id
    for number, mask in enumerate(config.privacy_masks):
        if mask.is_at(source_id):
            raise ConfigError(
                f"{key}: would show what privacy_masks.{number} hides of {source_id!r}; "
                f"use record for it, and leave it out of {key}.sources"
            )
    if tap_of(source) is None:
        raise ConfigError(
            f"{key}: {source_id!r} has no compressed video to copy, as streams and video files "
            "have, and webcams with ?format=mjpeg; "
            f"use record for it, and leave it out of {key}.sources"
        )


def check_classes(config: Config, class_names: Collection[str]) -> None:
    """Make sure that rules and masks are about classes that the model knows.

    Raises:
        ConfigError: one is not; names its path in the configuration.
    """
    for path, item in config.placed():
        for number, name in enumerate(getattr(item, "classes", None) or ()):
            if name not in class_names:
                raise ConfigError(
                    f"{path}.classes.{number}: the model has no class {name!r}; "
                    f"it has: {', '.join(class_names)}"
                )


def check_tracking(config: Config) -> None:
    """Make sure that objects are tracked where rules need that.

    Raises:
        ConfigError: they are not.
    """
    for key in ("zones", "lines"):
        if getattr(config, key) and not config.tracking.enabled:
            raise ConfigError(f"{key}: need tracked objects; take out 'tracking: false'")


def load(config: Config, errors: Console) -> ReadyDetector:
    """Load the detector that a configuration names.

    Args:
        config: which, and on what.
        errors: where the progress of a download is drawn.
    Raises:
        WatchlineError: it cannot be had.
    """
    with download_bar(errors, f"model {config.model}") as progress:
        return load_detector(
            config.model,
            config.weights,
            device=config.device,
            engine=config.engine,
            precision=config.precision,
            score=config.detector_score,
            nms=config.nms,
            progress=progress,
        )


def make_pipeline(
    config: Config,
    sources: Sequence[Source],
    detector: Detector,
    results: Mapping[str, Sink[Result]],
    clock: Clock,
    events: Mapping[str, Sink[Event]] | None = None,
    media: Mapping[str, MediaSink] | None = None,
    rules: RuleBook | None = None,
) -> Pipeline:
    """Join sources, detector and sinks.

    Args:
        config: batches, rules and drawing.
        sources: all of the run.
        detector: as `load` has it.
        results: see `Pipeline`.
        clock: for latencies.
        events: see `Pipeline`.
        media: see `Pipeline`.
        rules: see `make_analysis`.
    """
    snapshots = config.snapshots is not None or config.clips is not None or config.has_page
    drawn = config.record is not None or config.push is not None or config.display
    asked = map(config.attention, config.sources)
    return Pipeline(
        sources,
        detector,
        results,
        events or {},
        media,
        clock=clock,
        batch_size=config.batch.size,
        batch_wait_s=config.batch.max_wait_s,
        batch_per_source=config.batch.per_source,
        lane_capacity=config.batch.lane,
        attention=dict(zip(config.source_ids(), asked, strict=True)),
        analysis=make_analysis(
            config, snapshots=snapshots, trails=drawn or config.has_page, rules=rules
        ),
        draw=partial(annotate, style=drawing_style(config)),
        max_frames=config.max_frames,
        keep_open=config.has_page,
    )
