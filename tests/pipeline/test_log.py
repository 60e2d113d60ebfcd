"""The log: one record a line on stderr, for people or for programs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest
from rich.console import Console

from pipeline.log import set_up_logging


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the handlers back that pytest has installed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)


def logged(log_format: str, *, terminal: bool = False) -> str:
    """What one warning and one debug record leave."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=40, color_system=None)
    set_up_logging(log_format, console)
    log = logging.getLogger("sources.images")
    log.warning("picture skipped: %s", "/a/rather/long/path/to/a/picture/é→視.jpg: broken [red]")
    log.debug("not of interest")
    return file.getvalue()


def test_json_is_one_object_a_record() -> None:
    (line,) = logged("json").splitlines()
    record = json.loads(line)
    time = datetime.fromisoformat(record.pop("time"))
    assert time.utcoffset().total_seconds() == 0
    assert record == {
        "level": "warning",
        "logger": "sources.images",
        "message": "picture skipped: /a/rather/long/path/to/a/picture/é→視.jpg: broken [red]",
    }


def test_json_stays_one_line_whatever_the_message() -> None:
    file = io.StringIO()
    set_up_logging("json", Console(file=file))
    logging.getLogger("a").warning('two\nlines and "quotes"')
    (line,) = file.getvalue().splitlines()
    assert json.loads(line)["message"] == 'two\nlines and "quotes"'


def test_json_holds_the_traceback_of_an_error() -> None:
    file = io.StringIO()
    set_up_logging("json", Console(file=file))
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("a").exception("failed")
    (line,) = file.getvalue().splitlines()
    assert "ValueError: why" in json.loads(line)["traceback"]


def test_text_is_one_line_a_record_however_long() -> None:
    (line,) = logged("text").splitlines()
    assert line.endswith(
        "WARNING picture skipped: /a/rather/long/path/to/a/picture/é→視.jpg: broken [red]"
    )


def test_a_terminal_shows_the_message_as_it_is() -> None:
    text = "".join(logged("text", terminal=True).split())
    assert "/a/rather/long/path/to/a/picture/é→視.jpg:broken[red]" in text
    assert "notofinterest" not in text


def test_setting_up_again_does_not_double_the_records() -> None:
    set_up_logging("text", Console(file=io.StringIO()))
    assert len(logged("text").splitlines()) == 1


# Secrets.

CAMERA = "rtsp://admin:hunter2@10.0.0.5/cam?token=hunter2"


def log_secrets(log: logging.Logger) -> None:
    """Log a secret in a message, in its arguments and in a traceback."""
    log.warning(f"lost {CAMERA}")
    log.warning("lost %s, %r", CAMERA, {"address": CAMERA})
    log.warning("lost %(address)s", {"address": CAMERA})
    log.warning(ConnectionError(f"lost {CAMERA}"))
    try:
        try:
            raise ConnectionRefusedError(111, "Connection refused", CAMERA)
        except OSError as error:
            raise ValueError(CAMERA) from error
    except ValueError:
        log.exception("failed")
    log.warning("here", stack_info=True)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("terminal", [False, True])
def test_no_secret_is_logged(log_format: str, terminal: bool) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=200, color_system=None)
    set_up_logging(log_format, console)
    log_secrets(logging.getLogger("sources.live"))
    text = file.getvalue()
    assert "rtsp://***@10.0.0.5/cam?token=***" in text
    assert "ConnectionRefusedError" in text  # the traceback is there
    assert "hunter2" not in text
    assert "admin" not in text


@pytest.mark.parametrize("password", ["hunt'er2", 'hunt"er2', "hunt\\er2", 'hu"nt/er2'])
def test_a_json_record_stays_one_whatever_the_password(password: str) -> None:
    file = io.StringIO()
    set_up_logging("json", Console(file=file))
    logging.getLogger("a").warning("lost rtsp://me:%s@host/x", password)
    (record,) = map(json.loads, file.getvalue().splitlines())
    assert record["message"] == "lost rtsp://***@host/x"
