"""The edge of the program: every way in which a command can end, as a line and an exit code."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from io import TextIOWrapper
from typing import NoReturn

import typer

from pipeline.errors import WatchlineError
from pipeline.interrupts import terminable
from pipeline.redact import redact


def exit_with(app: typer.Typer) -> NoReturn:
    """Run a command line; every error becomes one line and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):  # file names need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with terminable():
            code = app(standalone_mode=False)
    except typer.TyperException as error:
        code = _complain(error.format_message().replace("Value error, ", ""), error.exit_code)
    except WatchlineError as error:
        _show_traceback()
        code = _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:  # a fault of ours
        _show_traceback()
        code = _complain(f"internal error: {type(error).__name__}: {error}", 70)
    sys.exit(code or 0)  # a command that has nothing to say of how it ended returns None


def end_process(main: Callable[[], NoReturn]) -> NoReturn:
    """Run what ends in `SystemExit`, and end the process with it.

    A thread that hangs in a name lookup or in a driver of libav holds nothing that is still needed
    once every file is finished, and is not waited for.
    """
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        if threading.active_count() > 1:
            os._exit(end.code if isinstance(end.code, int) else 1)
        raise


def _show_traceback() -> None:
    """Print the traceback of the error in hand, for whoever asks for it."""
    if os.environ.get("WATCHLINE_TRACEBACK"):
        print(redact(traceback.format_exc()), file=sys.stderr, end="")


def _complain(message: str, exit_code: int) -> int:
    line = " ".join(message.splitlines()).strip()
    if line:  # the help that a command without arguments prints comes as an empty error
        print(f"watchline: {redact(line)}", file=sys.stderr)
    return exit_code
