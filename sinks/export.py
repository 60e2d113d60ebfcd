"""The output of `export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UsageError
from sinks.annotated.recorder import VideoRecorder
from sinks.outputs import check_distinct, recording_paths


def export_recorder(output: Path, inputs: Sequence[Path], source_id: str) -> VideoRecorder:
    """What writes an exported video; see `pipeline.export.ExportTools`."""
    if output.suffix.lower() != ".mp4":
        raise UsageError(f"{output}: must be the name of a .mp4 file")
    paths = recording_paths(output, [source_id])
    check_distinct(paths.values(), inputs)
    return VideoRecorder(paths, exact=True)
