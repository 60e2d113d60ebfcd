"""How the importer refuses a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ModelError
from pipeline.ssd.tf_import import import_frozen_graph


def refusal(path: Path) -> str:
    """The message with which a file is refused: one line that starts with its name."""
    with pytest.raises(ModelError) as caught:
        import_frozen_graph(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message
