"""What ends a stream that would go on for ever, whatever the client does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, cast

from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

RECHECK_S = 5.0
"""How often it is asked whether a stream may go on."""
SEND_S = 30.0
"""How long a client may take for one picture."""
FAREWELL_S = 1.0
"""How long one may take for the end."""

T = TypeVar("T")


class _Caller(Protocol):
    def is_valid(self) -> bool: ...


async def first_of(*waits: Coroutine[Any, Any, T]) -> T:
    """Wait for whichever comes first, and give the others up.

    Raises:
        Whatever the first raised.
    """
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def may_go_on(scope: Scope) -> Callable[[], bool]:
    """What tells whether the session that asked for a stream still holds."""
    caller = scope.get("state", {}).get("caller")
    return (lambda: True) if caller is None else cast(_Caller, caller).is_valid


async def until_false(condition: Callable[[], bool], recheck_s: float) -> None:
    """Ask again and again, in another thread, as the answer may have to wait for something."""
    while await run_in_threadpool(condition):
        await asyncio.sleep(recheck_s)
