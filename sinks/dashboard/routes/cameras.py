"""`/api/cameras`: which there are, how they are, and changing them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter
from pydantic import Field

from pipeline.clock import utc
from pipeline.control import Camera, CameraStateName, Control
from sinks.dashboard.problem import Problem
from sinks.dashboard.schema import Body, Reply

_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such camera."}
}
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "It cannot be done as things are."}
}


class Latency(Reply):
    """Seconds from captured frame to result."""

    p50: float
    p95: float


class CameraReply(Reply):
    """A source of the run, as it is at the moment."""

    id: str
    address: str
    """Without secrets."""
    live: bool
    state: CameraStateName
    reason: str | None
    """Why it is not online."""
    since: str | None
    """When it came to be in this state."""
    outages: int
    width: int | None
    """Pixels of its latest frame."""
    height: int | None
    fps: float
    """Frames a second that went on to the outputs, lately."""
    detect_fps: float
    """Frames a second that the detector was given, lately."""
    latency_s: Latency | None
    captured: int
    inferred: int
    dropped: dict[str, int]
    """Frames by "stage/reason"."""
    overload: bool
    """Whether the machine cannot infer as many of its frames as it asks for."""
    settings: dict[str, Any]
    """`detect_fps`, `motion` and `priority`, as in the configuration."""

    @classmethod
    def of(cls, camera: Camera) -> Self:
        """The same for programs."""
        height, width = camera.size or (None, None)
        return cls(
            id=camera.id,
            address=camera.address,
            live=camera.live,
            state=camera.state,
            reason=camera.reason or None,
            since=_time(camera.since),
            outages=camera.outages,
            width=width,
            height=height,
            fps=round(camera.fps, 2),
            detect_fps=round(camera.detect_fps, 2),
            latency_s=_latency(camera.latency_s),
            captured=camera.counts.captured,
            inferred=camera.counts.inferred,
            dropped=dict(camera.counts.dropped),
            overload=camera.overload,
            settings=dict(camera.settings),
        )


class CamerasReply(Reply):
    """All sources, in the order of the configuration."""

    cameras: list[CameraReply]


class MotionSettings(Body):
    """When frames in which nothing moves are given to the detector all the same."""

    enabled: bool = True
    threshold: float | None = None
    """Grey levels by which a part of the picture must differ, 1 to 255."""
    refresh_s: float | None = None
    """A frame is inferred at least so often, 0.1 to 86400."""


_Address = Annotated[str, Field(min_length=1, max_length=2000)]


class CameraChange(Body):
    """Settings of a camera; what is not named stays."""

    source: _Address = Field(default_factory=str)  # it may be left out, but is never null
    """Its address."""
    detect_fps: float | None = None
    """Most frames a second that the detector is given, 0.01 to 1000; null for the common bound."""
    motion: bool | MotionSettings | None = None
    """Whether frames in which nothing moves are not given to it; null for what holds for all."""
    priority: float = Field(default_factory=float)
    """Its share when the detector cannot keep up, 0.1 to 100."""
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """Its name; that of a new one is made from the address if not given, and stays."""

    def named(self) -> dict[str, Any]:
        """Those that were named."""
        return self.model_dump(exclude_unset=True)


class NewCamera(CameraChange):
    """A camera to be watched."""

    source: _Address


def cameras_router(control: Control) -> APIRouter:
    """The routes of cameras."""
    router = APIRouter(prefix="/api/cameras", tags=["cameras"])

    @router.get("", summary="All cameras")
    def list_cameras() -> CamerasReply:
        return CamerasReply(cameras=[CameraReply.of(camera) for camera in control.cameras()])

    @router.post("", status_code=201, responses=_CONFLICT, summary="Watch one more camera")
    def add_camera(settings: NewCamera) -> CameraReply:
        return CameraReply.of(control.add(settings.named()))

    @router.get("/{camera_id}", responses=_UNKNOWN, summary="One camera")
    def show_camera(camera_id: str) -> CameraReply:
        return CameraReply.of(control.camera(camera_id))

    @router.patch(
        "/{camera_id}", responses=_UNKNOWN | _CONFLICT, summary="Give a camera other settings"
    )
    def change_camera(camera_id: str, settings: CameraChange) -> CameraReply:
        return CameraReply.of(control.change(camera_id, settings.named()))

    @router.delete(
        "/{camera_id}",
        status_code=204,
        responses=_UNKNOWN | _CONFLICT,
        summary="Watch a camera no more",
    )
    def remove_camera(camera_id: str) -> None:
        control.remove(camera_id)

    @router.post(
        "/{camera_id}/pause", responses=_UNKNOWN | _CONFLICT, summary="Let go of it for a while"
    )
    def pause_camera(camera_id: str) -> CameraReply:
        return CameraReply.of(control.pause(camera_id))

    @router.post("/{camera_id}/resume", responses=_UNKNOWN | _CONFLICT, summary="Watch it again")
    def resume_camera(camera_id: str) -> CameraReply:
        return CameraReply.of(control.resume(camera_id))

    @router.post("/{camera_id}/restart", responses=_UNKNOWN | _CONFLICT, summary="Connect anew")
    def restart_camera(camera_id: str) -> CameraReply:
        return CameraReply.of(control.restart(camera_id))

    return router


def _time(time: datetime | None) -> str | None:
    return None if time is None else utc(time)


def _latency(latency_s: tuple[float, float] | None) -> Latency | None:
    if latency_s is None:
        return None
    p50, p95 = latency_s
    return Latency(p50=round(p50, 4), p95=round(p95, 4))
