"""Options in addresses: ours are taken out, all else reaches the camera as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceError
from sources.address import positive, read_option, size, take_options

OURS = frozenset({"stall", "transport"})


@pytest.mark.parametrize(
    ("address", "rest", "options"),
    [
        ("rtsp://h/x", "rtsp://h/x", {}),
        ("rtsp://h/x?", "rtsp://h/x?", {}),
        ("rtsp://h/x?stall=5", "rtsp://h/x", {"stall": "5"}),
        ("rtsp://h/x?a=1&stall=5&b=2", "rtsp://h/x?a=1&b=2", {"stall": "5"}),
        ("rtsp://h?stall=5&transport=udp", "rtsp://h", {"stall": "5", "transport": "udp"}),
        ("rtsp://h/x?a=%2F%3f+&a&&b=%E2%82%AC", "rtsp://h/x?a=%2F%3f+&a&&b=%E2%82%AC", {}),
        ("rtsp://h/x?a=?b&stall=1=2", "rtsp://h/x?a=?b", {"stall": "1=2"}),
        ("rtsp://h/x?install=5&STALL=5", "rtsp://h/x?install=5&STALL=5", {}),
        ("/dev/video0?stall=5", "/dev/video0", {"stall": "5"}),
    ],
)
def test_our_options_are_taken_out(address: str, rest: str, options: dict[str, str]) -> None:
    assert take_options(address, OURS) == (rest, options)


@pytest.mark.parametrize("query", ["stall=1&stall=1", "stall", "stall=", "a=1&stall"])
def test_an_option_stands_once_and_has_a_value(query: str) -> None:
    with pytest.raises(SourceError) as caught:
        take_options(f"rtsp://me:hunter2@h/x?{query}", OURS)
    assert str(caught.value) == f"rtsp://***@h/x?{query}: give 'stall' once, as stall=VALUE"


@given(st.text())
def test_an_address_without_our_options_stays_as_it_is(text: str) -> None:
    assert take_options(text, frozenset()) == (text, {})


def test_an_option_that_is_not_given_has_no_value() -> None:
    assert read_option("rtsp://h", {}, "stall", float, "a number") is None
    assert read_option("rtsp://h", {"stall": "5"}, "stall", float, "a number") == 5


def test_a_wrong_value_is_named_without_the_secrets_of_the_address() -> None:
    with pytest.raises(SourceError) as caught:
        read_option("rtsp://me:hunter2@h?stall=x", {"stall": "x"}, "stall", positive, "a number")
    assert str(caught.value) == "rtsp://***@h?stall=x: stall must be a number, got 'x'"


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("0.5", 0.5), ("86399", 86399), ("1e-3", 0.001)]
)
def test_a_number_above_zero_is_read(text: str, value: float) -> None:
    assert positive(text) == value


@pytest.mark.parametrize("text", ["", "0", "-1", "86400", "nan", "inf", "-inf", "five", "5 s"])
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        positive(text)


@pytest.mark.parametrize(
    ("text", "shape"), [("640x360", (360, 640)), ("16x8192", (8192, 16)), ("8192x16", (16, 8192))]
)
def test_a_size_is_written_width_first(text: str, shape: tuple[int, int]) -> None:
    assert size(text) == shape


@pytest.mark.parametrize(
    "text", ["", "640", "640x", "x360", "15x16", "16x15", "8193x16", "640X360", "-640x360", "1x2x3"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        size(text)
