"""The edge of the program, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
import typer
from pipeline.command_line import end_process, exit_with
from pipeline.errors import SourceError

app = typer.Typer()
never = threading.Event()

@app.command()
def command(how: str, hang: bool = False):
    if hang:
        threading.Thread(target=never.wait).start()
    if how == "error":
        raise SourceError("gate: gone\\nfor good")
    if how == "fault":
        raise KeyError("ours")
    return int(how) if how.isdigit() else None

end_process(lambda: exit_with(app))
"""


@pytest.mark.parametrize("options", [(), ("--hang",)], ids=["alone", "beside a thread that hangs"])
@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ("nothing", 0, ""),
        ("3", 3, ""),
        ("error", 69, "watchline: gate: gone for good\n"),
        ("fault", 70, "watchline: internal error: KeyError: 'ours'\n"),
    ],
)
def test_how_a_command_ends(how: str, code: int, told: str, options: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (code, told)
