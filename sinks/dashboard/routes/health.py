"""`/api/health`: whether the program lives, and whether it watches."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from pipeline.control import Control
from sinks.dashboard.schema import Reply


class Live(Reply):
    """The program lives."""

    status: Literal["live"] = "live"


class Ready(Reply):
    """Whether frames are worked off."""

    status: Literal["ready", "ending"]


def health_router(control: Control) -> APIRouter:
    """The routes that tell how the program is; for everybody."""
    router = APIRouter(prefix="/api/health", tags=["health"])

    @router.get("/live", summary="Whether the program lives")
    async def show_life() -> Live:
        return Live()

    @router.get(
        "/ready",
        summary="Whether frames are worked off",
        responses={503: {"model": Ready, "description": "The run ends."}},
    )
    def show_readiness(response: Response) -> Ready:
        if control.is_running:
            return Ready(status="ready")
        response.status_code = 503
        return Ready(status="ending")

    return router
