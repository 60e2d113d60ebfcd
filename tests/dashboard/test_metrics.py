"""The metrics of a real run, as Prometheus reads them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.dashboard.conftest import Serve


def read_metrics(url: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample by name and labels."""
    reply = httpx.get(f"{url}/metrics", timeout=30)
    assert reply.status_code == 200
    samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            samples[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return samples


def test_every_frame_of_a_run_is_in_its_metrics(serve: Serve, tmp_path: Path) -> None:
    run = serve("test://ball?size=320x180", "--record", tmp_path / "recorded")
    ball = (("camera", "ball"),)
    run.until(
        lambda: read_metrics(run.url)["watchline_recorded_bytes_total"][("sink", "record"),] > 0
    )
    found = read_metrics(run.url)
    dropped = found["watchline_frames_dropped_total"].values()
    assert found["watchline_frames_captured_total"][ball] == (
        found["watchline_frames_inferred_total"][ball]
        + sum(dropped)
        + found["watchline_frames_in_flight"][ball]
    )
    inferred = found["watchline_frames_inferred_total"][ball]
    assert 0 < found["watchline_frame_latency_seconds_count"][ball] <= inferred
    assert found["watchline_camera_state"][("camera", "ball"), ("state", "online")] == 1
    assert found["watchline_batch_size_count"][()] > 0
    assert found["process_resident_memory_bytes"][()] > 0
