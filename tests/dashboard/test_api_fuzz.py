"""The API, asked for whatever its own description allows and forbids."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.dashboard.conftest import Serve

TOKEN = "a-token-for-the-tests-only"
EXAMPLES = 20
"""Made up for each route and kind."""
_NEVER_END = r"/stream(\.mjpg)?$"
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_schema_conformance", "ignored_auth"),
)


def test_nothing_that_is_asked_for_is_a_server_error(serve: Serve, tmp_path: Path) -> None:
    run = serve(
        *("test://ball?size=320x180&fps=5", "--record", tmp_path / "recorded"),
        environment={"WATCHLINE__DASHBOARD__TOKEN": TOKEN},
    )
    fuzzing = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{run.url}/api/openapi.json"),
            *("--header", f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS)),
            *("--max-examples", str(EXAMPLES), "--generation-deterministic", "--no-color"),
            *("--request-timeout", "20", "--warnings", "off"),
            *("--exclude-path-regex", _NEVER_END, "--phases", "examples,coverage,fuzzing"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=110,
        check=False,
    )
    assert fuzzing.returncode == 0, f"{fuzzing.stdout[-6000:]}{fuzzing.stderr[-2000:]}"
    assert run.get("/api/health/live") == {"status": "live"}
    assert "Traceback" not in run.printed
