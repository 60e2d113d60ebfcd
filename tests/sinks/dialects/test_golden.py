"""Every dialect says exactly what the golden files say.

After an intended change `WATCHLINE_WRITE_GOLDEN=1 pytest tests/sinks/dialects` writes them anew:
read the difference before you commit it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sinks.dialects import DIALECTS, deepstream
from tests.sinks.dialects.samples import KINDS, SAMPLES

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def known_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden files do not change with our version."""
    monkeypatch.setattr(deepstream, "program_version", lambda: "1.2.3")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_says_what_its_golden_file_says(dialect: str) -> None:
    messages = {name: list(DIALECTS[dialect](event)) for name, event in SAMPLES.items()}
    path = GOLDEN / f"{dialect}.json"
    if os.environ.get("WATCHLINE_WRITE_GOLDEN"):
        path.write_text(json.dumps(messages, indent=2, ensure_ascii=False) + "\n", "utf-8")
    # As text, so that the order of the keys counts, and 1 is not 1.0.
    assert json.dumps(messages, indent=2, ensure_ascii=False) + "\n" == path.read_text("utf-8")


def test_the_samples_cover_every_kind_of_event() -> None:
    assert {event.kind for event in SAMPLES.values()} == KINDS


def test_every_golden_file_has_its_dialect() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(DIALECTS)
