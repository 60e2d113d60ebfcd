"""The `password` command."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from pipeline.config import load_config
from tests.command_line.outcome import Watchline, complaint
from tests.paths import ROOT


def told(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """What comes over the standard input, which is no terminal."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\nmore\n"])
def test_a_line_becomes_a_hash(
    watchline: Watchline, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    told(monkeypatch, "grüße aus 東京".encode() + end)
    outcome = watchline("password")
    assert (outcome.code, outcome.err) == (0, "")
    (line,) = outcome.out.splitlines()
    assert PasswordHasher().verify(line, "grüße aus 東京")
    config = load_config(None, {}, {"dashboard": {"listen": "80", "password_hash": line}})
    assert config.dashboard is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the password must have 8 to 1000 characters, not 0"),
        (b"hunter2\n", "the password must have 8 to 1000 characters, not 7"),
        (b"a" * 1001, "the password must have 8 to 1000 characters, not 1001"),
        (b"hunter2\xff\xfe\n", "the password must be UTF-8"),
    ],
)
def test_a_wrong_one_is_a_line(
    watchline: Watchline, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    told(monkeypatch, content)
    outcome = watchline("password")
    assert (outcome.code, outcome.out) == (2, "")
    assert complaint(outcome) == message
    assert "hunter2" not in outcome.err


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (["correct horse", "correct horse"], 0, "$argon2id$"),
        (["correct horse", "correct house"], 2, "the two passwords are not the same"),
        (["\x04"], 2, "there was no password"),
    ],
)
def test_at_a_terminal_one_is_asked_twice_and_sees_nothing(
    tmp_path: Path, typed: list[str], code: int, said: str
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "run.py"), "password"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, start_new_session=True
    ) as process:
        os.close(theirs)
        screen = ""
        for prompt, line in zip(("Password: ", "The same again: "), typed, strict=False):
            while not screen.endswith(prompt):
                screen += os.read(ours, 1024).decode()
            os.write(ours, line.encode() + (b"" if line == "\x04" else b"\n"))
        try:
            while more := os.read(ours, 1024).decode():
                screen += more
        except OSError:  # the other end is closed
            pass
        assert process.wait(60) == code
    os.close(ours)
    assert said in screen
    assert "correct" not in screen
