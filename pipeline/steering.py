"""`Steering`: what may be done to a run while it goes on; see `pipeline.control.Control`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeline.changes import check_lasting, rules_of, with_rules, with_source, with_sources
from pipeline.clock import Clock
from pipeline.config import Config
from pipeline.config_file import ConfigFile, named_sources
from pipeline.config_parts import SourceConfig
from pipeline.configured import check_copied, masked, places_naming
from pipeline.control import Camera, Conflict, Measures, Rejected, Rules, UnknownCamera
from pipeline.errors import ConfigError, SourceError
from pipeline.graph import Pipeline
from pipeline.observing import camera_of, measures_of
from pipeline.origin import Origin
from pipeline.protocols import Source
from pipeline.redact import redact
from pipeline.rules.rule_book import RuleBook

MAX_SOURCES = 256
"""Cameras at once."""
MAX_IDS = 1024
"""Ids in a run, as what was counted of cameras is kept when they go."""
END_S = 15.0
"""How long a camera may take to let go of its connection, and the detector of its last frame."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One source of the run."""

    settings: SourceConfig
    """With its id."""
    source: Source
    """With its masks."""
    paused: datetime | None = None
    """Since when; None where it is not."""


class Steering:
    """Changes are made one after another: checked, saved, and then done. Reading waits for none.

    Args:
        config: of the run.
        origin: of the configuration, where changes of it are kept.
        pipeline: watches the sources.
        book: what its rules are taken from.
        open_source: opens an address under an id; raises SourceError.
        class_names: what the detector can find.
        clock: for dates and rates.
        on_change: told of each configuration that holds from then on.
    Raises:
        ConfigError: the file of the configuration cannot be read any more.
    """

    def __init__(
        self,
        config: Config,
        origin: Origin,
        pipeline: Pipeline,
        book: RuleBook,
        open_source: Callable[[str, str, Clock], Source],
        class_names: Sequence[str],
        clock: Clock,
        on_change: Callable[[Config], object] = lambda _: None,
    ) -> None:
        self._on_change = on_change
        self._config = with_sources(config, named_sources(config))
        self._saved, self.why_not_saved = origin.saved, origin.why_not_saved
        self._file = ConfigFile(origin.path) if origin.path and origin.saved else None
        self._pipeline, self._book, self._open_source = pipeline, book, open_source
        self.class_names = class_names
        self._clock = clock
        self._changing = threading.Lock()
        self._items: Mapping[str, _Item] = {
            source_id: _Item(settings, pipeline.watched[source_id].source)
            for settings in self._config.sources
            if (source_id := settings.id)
        }
        """By id, in order; replaced as a whole, as others read it at any time."""
        self._first_ids = frozenset(self._items)
        self._rules = rules_of(self._config)

    @property
    def is_running(self) -> bool:
        """See `Control.is_running`."""
        return not (self._pipeline.stopping.is_set() or self._pipeline.wait(0))

    def cameras(self) -> Sequence[Camera]:
        """See `Control.cameras`."""
        return [self._camera(item) for item in self._items.values()]

    def camera(self, camera_id: str) -> Camera:
        """See `Control.camera`."""
        return self._camera(self._item(camera_id))

    def rules(self) -> Rules:
        """See `Control.rules`."""
        return self._rules

    def measures(self) -> Measures:
        """See `Control.measures`."""
        return measures_of(self._pipeline, self.class_names)

    def add(self, settings: Mapping[str, Any]) -> Camera:
        """See `Control.add`."""
        with self._changing:
            self._check_running()
            if len(self._items) >= MAX_SOURCES:
                raise Conflict(f"there are {MAX_SOURCES} cameras already; remove one")
            if isinstance(settings.get("id"), str) and settings["id"] in self._items:
                raise Conflict(f"id: {settings['id']!r} is taken; choose another")
            after = with_source(self._config, len(self._items), settings)
            item = self._opened(after, after.sources[-1])
            if len(self._pipeline.watched.keys() | {item.source.source_id}) > MAX_IDS:
                raise Conflict(
                    f"there were {MAX_IDS} cameras in this run; restart it, or use an id"
                )
            self._commit(after, lambda: self._begin(item, after))
            return self._camera(item)

    def change(self, camera_id: str, settings: Mapping[str, Any]) -> Camera:
        """See `Control.change`."""
        with self._changing:
            self._check_running()
            item = self._item(camera_id)
            if settings.get("id", camera_id) != camera_id:
                raise Rejected("id: cannot be changed; add a camera of that name instead")
            number, now = [*self._items].index(camera_id), dict(item.settings)
            given = dict(settings)
            if given.get("source") == redact(item.settings.source):
                del given["source"]  # as it was shown
            after = with_source(self._config, number, {**now, **given})
            changed = after.sources[number]
            if changed.source == item.settings.source:
                self._commit(after, lambda: self._attend(replace(item, settings=changed), after))
            else:
                moved = replace(self._opened(after, changed), paused=item.paused)
                self._commit(after, lambda: self._move(item, moved, after))
            return self.camera(camera_id)

    def pause(self, camera_id: str) -> Camera:
        """See `Control.pause`."""
        with self._changing:
            item = self._live(camera_id)
            if item.paused is None:
                if self._pipeline.watched[camera_id].ended:
                    raise Conflict(f"{camera_id}: has ended; it can be resumed")
                self._pipeline.remove(camera_id, "paused")
                self._put(replace(item, paused=self._clock.now()))
            return self.camera(camera_id)

    def resume(self, camera_id: str) -> Camera:
        """See `Control.resume`."""
        with self._changing:
            item = self._live(camera_id)
            if item.paused is not None or self._pipeline.watched[camera_id].ended:
                self._check_running()
                self._begin(replace(item, paused=None), self._config)
            return self.camera(camera_id)

    def restart(self, camera_id: str) -> Camera:
        """See `Control.restart`."""
        with self._changing:
            item = self._live(camera_id)
            try:
                self._pipeline.restart(camera_id)
            except KeyError as error:
                word = "has ended" if item.paused is None else "is paused"
                raise Conflict(f"{camera_id}: {word}; resume it") from error
            return self.camera(camera_id)

    def remove(self, camera_id: str) -> None:
        """See `Control.remove`."""
        with self._changing:
            self._item(camera_id)
            for path in places_naming(self._config, camera_id):
                raise Conflict(f"{camera_id}: is named by {path}; take it out there first")
            left = {key: item for key, item in self._items.items() if key != camera_id}
            after = with_sources(self._config, [item.settings for item in left.values()])
            self._commit(after, lambda: self._let_go(camera_id, "removed"))
            self._items = left

    def set_rules(
        self,
        zones: Sequence[Mapping[str, Any]],
        lines: Sequence[Mapping[str, Any]],
        revision: str,
    ) -> Rules:
        """See `Control.set_rules`."""
        with self._changing:
            self._check_running()
            if revision != self._rules.revision:
                raise Conflict("the rules have been changed meanwhile; load them again")
            after = with_rules(self._config, zones, lines, self.class_names)
            if self._file is not None and "sources" not in self._saved:
                check_lasting(after, self._saved, self._first_ids)
            self._commit(after, lambda: self._book.change(after.rules))
            self._rules = rules_of(after)
            return self._rules

    def _camera(self, item: _Item) -> Camera:
        return camera_of(self._pipeline, item.settings, item.paused, self._clock.monotonic())

    def _item(self, camera_id: str) -> _Item:
        item = self._items.get(camera_id)
        if item is None:
            raise UnknownCamera("there is no such camera")
        return item

    def _live(self, camera_id: str) -> _Item:
        item = self._item(camera_id)
        if not item.source.live:
            raise Conflict(f"{camera_id}: is a file or a folder, and no camera")
        return item

    def _check_running(self) -> None:
        if not self.is_running:
            raise Conflict("the run is ending")

    def _opened(self, config: Config, settings: SourceConfig) -> _Item:
        """A source that is opened, but not watched yet.

        Raises:
            Rejected: its address is wrong, or outputs cannot have it.
        """
        assert settings.id is not None
        try:
            source = self._open_source(settings.source, settings.id, self._clock)
            others = [item.source for item in self._items.values()]
            check_copied(config, [*(s for s in others if s.source_id != settings.id), source])
        except SourceError as error:
            reason = str(error).removeprefix(f"{redact(settings.source)}: ")
            raise Rejected(f"source: {redact(reason)}") from None
        except ConfigError as error:
            raise Rejected(redact(str(error))) from None
        return _Item(settings, masked(source, config))

    def _commit(self, after: Config, apply: Callable[[], None]) -> None:
        """Save a configuration, and then do what it says.

        Raises:
            Conflict: one of them cannot be; then nothing is saved.
        """
        self._save(self._config, after)
        try:
            apply()
        except Conflict:
            self._save(after, self._config)
            raise
        self._config = after
        self._on_change(after)

    def _save(self, before: Config, after: Config) -> None:
        keys = [key for key in sorted(self._saved) if getattr(before, key) != getattr(after, key)]
        if self._file is not None and keys:
            self._file.save(before, after, keys)

    def _put(self, item: _Item) -> None:
        self._items = {**self._items, item.source.source_id: item}

    def _begin(self, item: _Item, config: Config) -> None:
        """Watch a source, once the one of the same id has ended."""
        source_id = item.source.source_id
        before = self._pipeline.watched.get(source_id)
        if before is not None and not before.done.wait(END_S):
            raise Conflict(f"{source_id}: has not ended yet; try again")
        try:
            self._pipeline.add(item.source, config.attention(item.settings))
        except (ValueError, RuntimeError) as error:
            raise Conflict(str(error)) from error
        self._put(item)

    def _attend(self, item: _Item, config: Config) -> None:
        attention = config.attention(item.settings)
        self._pipeline.batches.attend(item.source.source_id, attention)
        self._put(item)

    def _move(self, item: _Item, moved: _Item, config: Config) -> None:
        """Let go of a source, and watch another in its place."""
        if item.paused is not None:
            return self._put(moved)
        source_id = item.source.source_id
        self._let_go(source_id, "changed")
        self._put(replace(item, paused=self._clock.now()))  # until the other is there
        self._begin(moved, config)

    def _let_go(self, source_id: str, reason: str) -> None:
        watched = self._pipeline.watched[source_id]
        if watched.removed:  # it was paused
            watched.removed = reason
        else:
            self._pipeline.remove(source_id, reason)
