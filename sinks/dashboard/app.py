"""The web application: routes behind the gate, and errors in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipeline.control import Conflict, Rejected, UnknownCamera
from sinks.dashboard.access.access import COOKIE, Access
from sinks.dashboard.access.gate import Gate
from sinks.dashboard.access.paths import is_public
from sinks.dashboard.problem import Problem, one_line
from sinks.release import program_version

_STATUS = {UnknownCamera: 404, Conflict: 409, Rejected: 422}
_REFUSALS = {
    400: "The request is none, or its `Host` is wrong.",
    401: "Nobody is logged in, and there is no token.",
    403: "Another site asks, or the CSRF token is wrong.",
    408: "The body took too long.",
    413: "The body is too long.",
    415: "The body is no JSON.",
    422: "A value is wrong.",
    500: "A fault of the program.",
}
"""What any request may meet."""
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`dashboard.token`"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Of a session. What changes something needs `X-CSRF-Token` too, which "
        "`GET /api/session` tells.",
    },
}


class _Locked(FastAPI):
    """Describes itself with how to get in."""

    def openapi(self) -> dict[str, Any]:
        """See `FastAPI.openapi`."""
        schema = super().openapi()
        schema["components"]["securitySchemes"] = _SECURITY
        schema["security"] = [{name: []} for name in _SECURITY]
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                if is_public(method.upper(), path):
                    operation["security"] = []
        return schema


def make_app(access: Access, routers: Iterable[APIRouter]) -> Gate:
    """Join routes to an application that nobody gets to but through the gate.

    Args:
        access: knows who may see it.
        routers: its routes.
    """
    kind = _Locked if access.credentials.required else FastAPI
    app = kind(
        title="Watchline",
        summary="Watch and steer a run of Watchline.",
        version=program_version() or "unknown",
        openapi_url="/api/openapi.json",
        docs_url=None,  # a page with scripts of others
        redoc_url=None,
        redirect_slashes=False,
        responses={
            status: {"model": Problem, "description": text} for status, text in _REFUSALS.items()
        },
        exception_handlers={
            Exception: _failed,
            HTTPException: _http_error,
            RequestValidationError: _invalid,
            **dict.fromkeys(_STATUS, _refused),
        },
    )
    for router in routers:
        app.include_router(router)
    return Gate(app, access)


def _problem(status: int, detail: object, headers: Mapping[str, str] | None = None) -> JSONResponse:
    problem = Problem(detail=one_line(detail))
    return JSONResponse(problem.model_dump(), status, headers)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, error.detail, error.headers)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    return _problem(_STATUS[type(error)], error)  # type: ignore[index]


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    """It goes on to the gate, which logs it."""
    return _problem(500, "internal error; the log has more")


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """The first fault, without the value: it may be a password."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _problem(422, "the body is no JSON")
    place = ".".join(str(part) for part in first["loc"][1:]) or first["loc"][0]
    message = first["msg"].removeprefix("Value error, ")
    return _problem(422, f"{place}: {message[0].lower()}{message[1:]}")
