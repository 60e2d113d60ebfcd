"""`/metrics`: what a run measures, for Prometheus to fetch."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_OPENMETRICS = "application/openmetrics-text"


def metrics_router(registry: CollectorRegistry) -> APIRouter:
    """Serves what is in a registry.

    Args:
        registry: see `make_registry`.
    """
    router = APIRouter(tags=["metrics"])

    @router.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={200: {"content": {_OPENMETRICS: {"schema": {"type": "string"}}}}},
    )
    def metrics(request: Request) -> Response:
        """All counters and gauges, as text or as OpenMetrics, whichever is asked for."""
        # Not the header itself: some of its values make the package raise.
        wanted = _OPENMETRICS if _OPENMETRICS in request.headers.get("accept", "") else ""
        encode, content_type = choose_encoder(wanted)
        return Response(encode(registry), media_type=content_type)

    return router
