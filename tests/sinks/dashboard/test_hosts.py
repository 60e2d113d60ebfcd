"""Names of this machine, and pages of our own."""

from __future__ import annotations

import pytest

from sinks.dashboard.access.hosts import is_of_this_machine, is_own_page


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080"]
)
def test_a_host_is_of_this_machine(host: str) -> None:
    assert is_of_this_machine(host, "127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.2:80", "127.0.0.2"])
def test_what_is_listened_on_is_too(host: str) -> None:
    assert is_of_this_machine(host, "127.0.0.2")
    assert not is_of_this_machine(host, "127.0.0.1")


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost."),
        *("10.0.0.1:8080", "[::2]", "::1", "localhost:x", "localhost:8080:1", "a@localhost"),
        *("localhost/", "localhost\n", "localhost#", "0.0.0.0", "127.1", "2130706433"),
    ],
)
def test_others_are_not(host: str) -> None:
    assert not is_of_this_machine(host, "127.0.0.1")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8080", "localhost:8080"),
        ("http://LocalHost:8080", "localhost:8080"),
        ("http://cam.example", "cam.example"),
        ("http://cam.example", "cam.example:80"),
        ("https://cam.example", "cam.example"),
        ("https://cam.example", "cam.example:443"),
        ("https://cam.example:443", "cam.example"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("https://cameras.example", "127.0.0.1:8080"),
    ],
)
def test_a_page_is_our_own(origin: str, host: str) -> None:
    assert is_own_page(origin, host, {"cameras.example"})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "localhost:8080"),
        ("", ""),
        ("http://", ""),
        ("localhost:8080", "localhost:8080"),
        ("http://localhost:3000", "localhost:8080"),
        ("http://localhost", "localhost:8080"),
        ("https://cam.example", "cam.example:80"),
        ("http://cam.example.evil.example", "cam.example"),
        ("http://evil.example/cam.example", "cam.example"),
        ("http://cam.example@evil.example", "cam.example"),
        ("file://localhost:8080", "localhost:8080"),
        ("https://cameras.example:8443", "127.0.0.1:8080"),
        ("https://x.cameras.example", "127.0.0.1:8080"),
    ],
)
def test_a_page_is_that_of_others(origin: str, host: str) -> None:
    assert not is_own_page(origin, host, {"cameras.example"})
