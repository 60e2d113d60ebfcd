"""The zone and the line of the demo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RULES: Mapping[str, Any] = {
    "zones": [
        {
            "name": "pavement",
            "polygon": [[0.52, 0.55], [0.8, 0.55], [0.8, 1], [0.52, 1]],
            "classes": ["person"],
            "loitering_s": 0.8,
            "crowd": 3,
        }
    ],
    "lines": [{"name": "kerb", "points": [[0.5, 1], [0.5, 0.15]]}],
    "tracking": {"patience_s": 1},
}
"""The same as in configs/zones.yaml."""
