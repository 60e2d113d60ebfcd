"""`Dashboard`: a page and an API over a run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fastapi import APIRouter

from pipeline.annotate import Style
from pipeline.clock import Clock
from pipeline.control import Control, UnknownCamera
from pipeline.dashboard_config import DashboardConfig
from pipeline.types import Result
from sinks.dashboard.access.access import Access
from sinks.dashboard.access.gate import Gate
from sinks.dashboard.app import make_app
from sinks.dashboard.exposition import make_registry
from sinks.dashboard.history.history import History
from sinks.dashboard.live.live_view import LiveView
from sinks.dashboard.recordings import Kind, Recordings
from sinks.dashboard.routes.cameras import cameras_router
from sinks.dashboard.routes.clips import clips_router
from sinks.dashboard.routes.counts import counts_router
from sinks.dashboard.routes.events import events_router
from sinks.dashboard.routes.health import health_router
from sinks.dashboard.routes.live import live_router
from sinks.dashboard.routes.metrics import metrics_router
from sinks.dashboard.routes.page import page_router
from sinks.dashboard.routes.recordings import recordings_router
from sinks.dashboard.routes.rules import rules_router
from sinks.dashboard.routes.session import session_router
from sinks.dashboard.routes.snapshots import snapshots_router
from sinks.dashboard.routes.system import system_router
from sinks.dashboard.server import Server
from sinks.outputs import FileSink
from sinks.release import program_version

log = logging.getLogger(__name__)

_PAGE = Path(__file__).parent / "static"


class Dashboard:
    """A sink of results, which people see live; `history` is one of events.

    Args:
        config: where it is served, and to whom.
        folders: what is recorded, and where.
        style: what is drawn besides the objects.
        clock: for ages, and the ends of sessions.
    """

    def __init__(
        self, config: DashboardConfig, folders: Mapping[Kind, Path], style: Style, clock: Clock
    ) -> None:
        self.history = History(config.folder, config.keep, clock)
        """A sink of its own."""
        self._config, self._clock = config, clock
        self._recordings = Recordings(folders)
        self._live = LiveView(self._knows, style, clock)
        self._server = Server(config)
        self._access: Access | None = None
        self._control: Control | None = None
        self._sinks: Mapping[str, FileSink[Any]] = {}
        self._closing = threading.Event()

    def attach(self, control: Control, sinks: Mapping[str, FileSink[Any]]) -> None:
        """Tell what is watched and steered; comes before `serving`.

        Args:
            control: of the run.
            sinks: all of the run, by name, for what they count.
        """
        self._control, self._sinks = control, sinks

    def prepare(self) -> None:
        """Take the port.

        Raises:
            ConfigError: it cannot be had, or nobody could log in.
        """
        self._access = Access.configured(self._config, self._clock)
        self._server.prepare()

    @property
    def url(self) -> str:
        """Where the page is found."""
        return self._server.url

    def gate(self) -> Gate:
        """All routes behind the gate; comes after `prepare` and `attach`."""
        assert self._access is not None, "prepare() was called"
        assert self._control is not None, "attach() was called"
        return make_app(self._access, self._routers(self._access, self._control))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until left."""
        with self._server.serving(self.gate()):
            log.info("dashboard: %s", self.url)
            try:
                yield
            finally:
                self._closing.set()
                self._live.close()

    def __enter__(self) -> Self:
        return self

    def write(self, item: Result, /) -> None:
        """Show a result to whoever looks; waits for nobody."""
        self._live.write(item)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    @property
    def files(self) -> Sequence[Path]:
        """It leaves none."""
        return ()

    @property
    def lost(self) -> Mapping[str, int]:
        """Whoever does not look loses nothing."""
        return {}

    def _knows(self, camera_id: str) -> bool:
        assert self._control is not None, "attach() was called"
        try:
            self._control.camera(camera_id)
        except UnknownCamera:
            return False
        return True

    def _routers(self, access: Access, control: Control) -> Sequence[APIRouter]:
        begun = self._clock.now()
        registry = make_registry(control, self._sinks, begun, program_version())
        return [
            session_router(access),
            health_router(control),
            page_router(_PAGE),
            system_router(control, self._recordings.kinds, begun),
            cameras_router(control),
            rules_router(control),
            live_router(self._live),
            events_router(self.history, self._closing),
            snapshots_router(self.history),
            counts_router(self.history, self._clock),
            recordings_router(self._recordings),
            clips_router(self._recordings),
            metrics_router(registry),
        ]
