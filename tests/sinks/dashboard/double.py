"""A `Control` without a run behind it: cameras and rules in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.control import (
    Camera,
    CameraStateName,
    Conflict,
    Measures,
    Rejected,
    Rules,
    UnknownCamera,
)
from pipeline.histogram import Histogram
from pipeline.ledger import Counts
from tests.clock import NOON


def camera(camera_id: str = "gate", **changes: Any) -> Camera:
    """A camera that is well."""
    return replace(
        Camera(
            id=camera_id,
            address="rtsp://***@10.0.0.5/stream1",
            live=True,
            state="online",
            reason="",
            since=NOON,
            outages=1,
            size=(1080, 1920),
            fps=25.0,
            detect_fps=5.0,
            latency_s=(0.05, 0.2),
            counts=Counts(100, 60, {"schedule/rate": 30, "lane/full": 10}),
            overload=False,
            settings={"detect_fps": 5.0, "motion": None, "priority": 1.0},
        ),
        **changes,
    )


class ControlDouble:
    """Does what `Control` promises to cameras that are values."""

    def __init__(self, *cameras: Camera) -> None:
        self.is_running = True
        self.why_not_saved = ""
        self.class_names: Sequence[str] = ("person", "car")
        self._cameras = {item.id: item for item in cameras or (camera(),)}
        self._rules = Rules("1", [], [])
        self.fault: Exception | None = None
        """Raised by `cameras`."""

    def cameras(self) -> Sequence[Camera]:
        if self.fault is not None:
            raise self.fault
        return list(self._cameras.values())

    def camera(self, camera_id: str) -> Camera:
        try:
            return self._cameras[camera_id]
        except KeyError:
            raise UnknownCamera(f"{camera_id}: there is no such camera") from None

    def add(self, settings: Mapping[str, Any]) -> Camera:
        camera_id = settings.get("id") or "camera"
        if camera_id in self._cameras:
            raise Conflict(f"{camera_id}: the id is taken")
        if "://" not in settings["source"]:
            raise Rejected("source: must be a URL")
        named = {key: value for key, value in settings.items() if key not in ("id", "source")}
        self._cameras[camera_id] = camera(camera_id, address=settings["source"], settings=named)
        return self._cameras[camera_id]

    def change(self, camera_id: str, settings: Mapping[str, Any]) -> Camera:
        before = self.camera(camera_id)
        named = {key: value for key, value in settings.items() if key != "source"}
        address = settings.get("source", before.address)
        return self._put(replace(before, address=address, settings={**before.settings, **named}))

    def pause(self, camera_id: str) -> Camera:
        return self._into(camera_id, "paused")

    def resume(self, camera_id: str) -> Camera:
        return self._into(camera_id, "connecting")

    def restart(self, camera_id: str) -> Camera:
        return self._into(camera_id, "connecting")

    def remove(self, camera_id: str) -> None:
        del self._cameras[self.camera(camera_id).id]

    def rules(self) -> Rules:
        return self._rules

    def set_rules(
        self,
        zones: Sequence[Mapping[str, Any]],
        lines: Sequence[Mapping[str, Any]],
        revision: str,
    ) -> Rules:
        if revision != self._rules.revision:
            raise Conflict("the rules have changed meanwhile")
        if any("name" not in zone for zone in zones):
            raise Rejected("zones.0.name: is missing")
        self._rules = Rules(str(int(revision) + 1), zones, lines)
        return self._rules

    def measures(self) -> Measures:
        return Measures({}, {}, Histogram(), 0.0, self.class_names)

    def _into(self, camera_id: str, state: CameraStateName) -> Camera:
        return self._put(replace(self.camera(camera_id), state=state))

    def _put(self, changed: Camera) -> Camera:
        self._cameras[changed.id] = changed
        return changed
