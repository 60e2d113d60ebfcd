"""`/api/session`: logging in and out."""

from __future__ import annotations

import logging

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import Field, SecretStr

from pipeline.dashboard_config import MOST_PASSWORD
from sinks.dashboard.access.access import COOKIE, Access
from sinks.dashboard.access.caller import Caller
from sinks.dashboard.access.login_limit import network_of
from sinks.dashboard.access.paths import SESSION
from sinks.dashboard.access.sessions import LONGEST_S
from sinks.dashboard.problem import Problem
from sinks.dashboard.schema import Body, Reply
from sinks.release import program_version

log = logging.getLogger(__name__)

_MOST_VERIFIED = 2
"""Passwords at a time: each takes a core and 64 MiB."""


class SessionReply(Reply):
    """Whether somebody is logged in."""

    login_required: bool
    """Whether nobody sees anything without a password or a token."""
    logged_in: bool
    csrf: str | None
    """What the page sends as `X-CSRF-Token` with each change; null where that is not needed."""
    version: str


class Login(Body):
    """What somebody logs in with."""

    password: SecretStr = Field(max_length=MOST_PASSWORD)


def session_router(access: Access) -> APIRouter:
    """The routes of sessions."""
    router = APIRouter(tags=["session"])
    limiter = CapacityLimiter(_MOST_VERIFIED)

    def describe(caller: Caller) -> SessionReply:
        return SessionReply(
            login_required=access.credentials.required,
            logged_in=caller.is_valid(),
            csrf=caller.session.csrf if caller.session is not None else None,
            version=program_version(),
        )

    @router.get(SESSION, summary="Whether somebody is logged in")
    async def show_session(request: Request) -> SessionReply:
        return describe(request.state.caller)

    @router.post(
        SESSION,
        summary="Log in",
        responses={
            401: {"model": Problem, "description": "The password is wrong."},
            429: {"model": Problem, "description": "Too many were; see `Retry-After`."},
        },
    )
    async def log_in(login: Login, request: Request, response: Response) -> SessionReply:
        caller: Caller = request.state.caller
        if not access.credentials.required:
            return describe(caller)
        address = request.client.host if request.client is not None else ""
        wait_s = access.limit.take(address)
        if wait_s > 0:
            seconds = int(wait_s) + 1
            raise HTTPException(
                429,
                f"too many wrong passwords; try again in {seconds} s",
                {"Retry-After": str(seconds)},
            )
        password = login.password.get_secret_value()
        check = access.credentials.accepts_password
        if not await to_thread.run_sync(check, password, limiter=limiter):
            log.warning("dashboard: wrong password from %s", network_of(address))
            raise HTTPException(401, "the password is wrong")
        access.limit.forgive(address)
        if caller.session is not None:
            caller.session.end()
        token, session = access.sessions.begin()
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(LONGEST_S),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return describe(Caller(is_known=True, session=session))

    @router.delete(SESSION, status_code=204, summary="Log out")
    async def log_out(request: Request, response: Response) -> None:
        caller: Caller = request.state.caller
        if caller.session is not None:
            caller.session.end()
            response.delete_cookie(COOKIE, httponly=True, samesite="strict")

    return router
