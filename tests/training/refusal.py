"""How a dataset is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import DatasetError
from pipeline.training.datasets import open_dataset


def refusal(data: Path, at: Path | None = None, **options: Any) -> str:
    """The message with which a dataset is refused, after the path of the file at fault.

    Args:
        data: what is opened.
        at: the file at fault, if it is another.
        options: for `open_dataset`.
    """
    with pytest.raises(DatasetError) as caught:
        open_dataset(data, **options)
    message = str(caught.value)
    assert message.startswith(f"{at or data}: ")
    assert message.isprintable()
    assert len(message) < 1000
    return message.removeprefix(f"{at or data}: ")
