"""How often passwords may be tried."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from pipeline.clock import Clock

_EACH = (10, 20.0)
"""Attempts in a row from one address, and seconds until there is one more."""
_ALL = (100, 1.0)
"""The same from all addresses: guessing from many at once is no faster than this."""
_MOST_ADDRESSES = 1000
"""How many are remembered; past that the one that tried longest ago is forgotten."""


class _Allowance:
    """Attempts that come back with time, known by when all will be back.

    Args:
        attempts: how many there are at most.
        each_s: seconds until one is back.
    """

    def __init__(self, attempts: int, each_s: float) -> None:
        self._attempts, self._each_s = attempts, each_s
        self._whole_s = float("-inf")

    def wait_s(self, now_s: float) -> float:
        """Seconds until there is an attempt; 0 if there is one."""
        missing_s = max(self._whole_s - now_s, 0.0)
        return max(missing_s + (1 - self._attempts) * self._each_s, 0.0)

    def take(self, now_s: float) -> None:
        """Use up an attempt."""
        self._whole_s = max(self._whole_s, now_s) + self._each_s

    def give_back(self) -> None:
        """One was none."""
        self._whole_s -= self._each_s


class LoginLimit:
    """Counts attempts to log in, by address and together; its memory is bounded. For one thread.

    Args:
        clock: for when there may be another.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all = _Allowance(*_ALL)
        self._each: OrderedDict[str, _Allowance] = OrderedDict()

    def take(self, address: str) -> float:
        """Seconds to wait until somebody may try; 0 if now, and then it is an attempt less."""
        now_s, network = self._clock.monotonic(), network_of(address)
        own = self._each.setdefault(network, _Allowance(*_EACH))
        self._each.move_to_end(network)
        if len(self._each) > _MOST_ADDRESSES:
            self._each.popitem(last=False)
        wait_s = max(own.wait_s(now_s), self._all.wait_s(now_s))
        if wait_s == 0:
            own.take(now_s)
            self._all.take(now_s)
        return wait_s

    def forgive(self, address: str) -> None:
        """The latest attempt was right: it and those before from there count no more."""
        self._each.pop(network_of(address), None)
        self._all.give_back()


def network_of(address: str) -> str:
    """Whom an address belongs to: that itself, or of IPv6 a /64, as one machine has all of it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # what a proxy took for one
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
