"""Secrets of addresses: hidden wherever they stand, and nothing else is."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.redact import redact

SECRET = "hunter2"


@pytest.mark.parametrize("scheme", ["rtsp", "RTSPS", "http", "rtmp+tls", "h323.x"])
@pytest.mark.parametrize(
    "host", ["10.0.0.5", "cam.local:554", "[fe80::1]", "[::1]:554", "kamera-ü"]
)
@pytest.mark.parametrize("rest", ["", "/", "/path", "/me@home/a:b", "?channel=1", "/x?a=1#@"])
def test_user_and_password_are_hidden_and_the_rest_stays(scheme: str, host: str, rest: str) -> None:
    assert redact(f"{scheme}://admin:{SECRET}@{host}{rest}") == f"{scheme}://***@{host}{rest}"


@pytest.mark.parametrize(
    "user",
    [
        "admin:hunter2",
        "hunter2",
        ":hunter2",
        "admin:",
        "me@mail.com:hunter2",
        "admin:hunt@er2",
        "admin:@hunter2@",
        "admin:hunt:er2",
        "admin:hunt%40er2",
        "admin:hunt%2Fer2",
        "admin:hunt[er]2",
        "admin:hunt'er2",
        'admin:hunt"er2',
        "admin:hunt\\er2",
        "admin:hünter²",
        # libav knows none of these, but people write them.
        "admin:hunt/er2",
        "admin:/hunter2/",
        "admin:hunt?er2",
        "admin:12345?",
        "admin:hunt#er2",
        "admin:12#45",
        "me@mail.com:hunt/er2",
    ],
)
def test_the_user_ends_at_the_last_at_sign_before_the_host(user: str) -> None:
    assert redact(f"rtsp://{user}@host:554/path") == "rtsp://***@host:554/path"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "[Errno 111] Connection refused: 'rtsp://u:p@h/x'",
            "[Errno 111] Connection refused: 'rtsp://***@h/x'",
        ),
        ("rtsp://u:p@h/x: no such path", "rtsp://***@h/x: no such path"),
        ("(rtsp://u:p@h:554), mail bob@home", "(rtsp://***@h:554), mail bob@home"),
        ("rtsp://a:b@c/d, then rtsp://e:f@g", "rtsp://***@c/d, then rtsp://***@g"),
        ("rtsp://a:b@c,rtsp://d:e@f", "rtsp://***@c,rtsp://***@f"),
        ("rtsp://c:554,rtsp://d:e@f", "rtsp://c:554,rtsp://***@f"),
        ("['rtsp://a:b@c', 'd@e']", "['rtsp://***@c', 'd@e']"),
        ("{'rtsp://c':'d@e'}", "{'rtsp://c':'d@e'}"),
        ("'rtsp://u:it's@h'", "'rtsp://***@h'"),
        ("<rtsp://u:p@h/x>\nrtsp://u:p@h", "<rtsp://***@h/x>\nrtsp://***@h"),
        ("http://proxy:80/?src=rtsp://u:p@h/x", "http://proxy:80/?src=rtsp://***@h/x"),
        (
            "http://proxy/?src=rtsp%3A%2F%2Fu%3Ap%40h%2Fx%40y",
            "http://proxy/?src=rtsp%3A%2F%2F***%40h%2Fx%40y",
        ),
    ],
)
def test_addresses_are_found_inside_a_text(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "pwd",
        "token",
        "access_token",
        "X-Amz-Signature",
        "api_key",
        "user",
        "loginpas",
        "sessionid",
    ],
)
@pytest.mark.parametrize("end", ["", "&channel=1", ";channel=1", "#top", " next", "' next"])
def test_parameters_that_tell_a_secret_are_hidden(name: str, end: str) -> None:
    assert redact(f"GET /video?a=1&{name}={SECRET}{end}") == f"GET /video?a=1&{name}=***{end}"


def test_cameras_that_want_the_password_in_the_path_get_it_hidden() -> None:
    assert redact("rtsp://h/user=me_password=hunter2_channel=1.sdp?x=1") == "rtsp://h/user=***"
    assert redact("rtsp://h/user=me&password=hunter2&ch=1") == "rtsp://h/user=***&password=***&ch=1"
    assert redact("rtsp://h/ch=1_password=hunter2") == "rtsp://h/ch=1_password=***"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mail bob@example.com",
        "host:554 or 10.0.0.5:554/path",
        "rtsp://host",
        "rtsp://host:554",
        "rtsp://host:554/me@home",
        "rtsp://host/a:b@c",
        "rtsp://[fe80::1]:554/me@home",
        "rtsp://[fe80::1]/me@home",
        "http://host/?mail=bob@home",
        "http://host?mail=bob@home",
        "http://host:80/?monkey=1&passage=2&users=3",
        "no host is known as 'cam': ask bob@home",
        "cannot open rtsp://host: ask bob@home",
        "cannot open 'rtsp://host:554', ask bob@home",
        "/videos/me@home/user.mp4",
        "C:\\videos\\me@home://",
        "a = b; user = c",
        "what?#@://",
    ],
)
def test_all_else_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_what_is_hidden_stays_as_it_is() -> None:
    text = redact("rtsp://u:p@h/x?token=abc")
    assert redact(text) == text


@pytest.mark.parametrize("piece", ["a://", "a://u:p@", "://", "\\'", "?", "x", "%3A%2F%2F", "?key"])
def test_no_text_takes_long(piece: str) -> None:
    redact("'rtsp://" + piece * 50_000)


PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/?"), min_size=1
)
USERS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/?:")
)
SLASHED = st.lists(PRINTABLE.filter(lambda text: "@" not in text), min_size=2).map("/".join)


def hidden_everywhere(user: str, password: str) -> None:
    """Check an address in the places in which it turns up."""
    address, shown = f"rtsp://{user}:{password}@host/x", "rtsp://***@host/x"
    quotes = repr(address)[0] * 2
    assert redact(address) == shown
    assert redact(f"cannot open {address}: bob@home") == f"cannot open {shown}: bob@home"
    assert redact(f"refused: {address!r}, bob@home") == f"refused: {shown.join(quotes)}, bob@home"
    for message in (address, f"cannot open {address} by bob@home"):
        line = redact(json.dumps({"message": message, "by": "bob@home"}))
        assert json.loads(line) == {"message": message.replace(address, shown), "by": "bob@home"}


@given(USERS, PRINTABLE)
def test_no_password_is_seen(user: str, password: str) -> None:
    hidden_everywhere(user, password)


@given(USERS, SLASHED)
def test_no_password_with_a_slash_is_seen(user: str, password: str) -> None:
    # Digits and a slash after a colon are a port and a path, of which the password may hold none
    # before an @ of its own.
    assume("://" not in password and not re.match(r"\d+/", password))
    hidden_everywhere(user, password)


@given(st.text(), st.text())
def test_no_password_is_seen_that_is_written_as_the_standard_wants(
    user: str, password: str
) -> None:
    assume(not any("\ud800" <= character <= "\udfff" for character in user + password))
    hidden_everywhere(quote(user, safe=""), quote(password, safe=""))


@given(st.text())
def test_any_text_can_be_redacted(text: str) -> None:
    redact(text)
