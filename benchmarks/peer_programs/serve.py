"""Be a program: prepare, then work whenever asked, until there is nobody to ask.

    python -m benchmarks.peer_programs.serve MODULE JOB

MODULE is a file of this folder with a function `prepare(job)` that loads what the work needs. A
package that cannot be imported or a `MissingError` is told, and the benchmark goes on without it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

from benchmarks.peer_programs.protocol import Job, MissingError, Program


def serve(module: str, job: Job) -> None:
    """Answer every request on standard input, one a line."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else is printed goes to the log

    def answer(message: Mapping[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")

    try:
        program: Program = import_module(f"benchmarks.peer_programs.{module}").prepare(job)
    except ModuleNotFoundError as error:
        return answer({"missing": f"{error.name} is not installed"})
    except MissingError as error:
        return answer({"missing": str(error)})
    answer({"missing": None})
    for request in sys.stdin:
        answer(asdict(program(json.loads(request))))


if __name__ == "__main__":
    serve(sys.argv[1], Job(**json.loads(sys.argv[2])))
