"""What training remembers of each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch."""

    epoch: int
    """Counts from 1."""
    steps: int
    """Weight updates since training began."""
    loss: float
    """Mean of the epoch's batches: `box_loss` and `class_loss` together."""
    box_loss: float
    """Mean loss of the deltas."""
    class_loss: float
    """Mean loss of the classes."""
    learning_rate: float
    """At the end of the epoch."""
    ap: float | None
    """COCO's AP on the pictures kept for that, 0..1; None where it was not measured."""
    ap50: float | None
    """COCO's AP50, 0..1; None where it was not measured."""
    seconds: float
    """Duration of the epoch, evaluation included."""

    def to_json(self) -> dict[str, Any]:
        """Every field by its name, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Undo `to_json`.

        Raises:
            ValueError: a field is missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        if record.keys() != names:
            wrong = ", ".join(sorted(record.keys() ^ names))
            raise ValueError(f"not the record of an epoch: missing or unknown: {wrong}")
        return cls(**record)
