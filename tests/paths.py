"""Where things are, said once: tests move from folder to folder."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
SHARED_DATA = ROOT.parent / "shared" / "data"
"""Pictures and references beside some checkouts; tests that want them skip where they are not."""
