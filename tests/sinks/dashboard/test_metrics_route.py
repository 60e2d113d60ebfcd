"""`/metrics` over HTTP."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sinks.dashboard.exposition import make_registry
from sinks.dashboard.routes.metrics import metrics_router
from tests.clock import NOON
from tests.sinks.dashboard.counted import Counted, camera, measures, source


@pytest.fixture
def client() -> TestClient:
    control = Counted(measures({"gate": source()}), [camera("gate")])
    app = FastAPI()
    app.include_router(metrics_router(make_registry(control, {}, NOON, "1")))  # type: ignore[arg-type]
    return TestClient(app)


def test_text_is_the_default(client: TestClient) -> None:
    reply = client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "watchline_camera_state" in {family.name for family in parse_text(reply.text)}


def test_openmetrics_is_given_to_who_asks_as_prometheus_does(client: TestClient) -> None:
    accept = (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1"
    )
    reply = client.get("/metrics", headers={"Accept": accept})
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert reply.text.endswith("# EOF\n")
    assert "watchline_camera_state" in {family.name for family in parse_openmetrics(reply.text)}


@pytest.mark.parametrize(
    "accept",
    [
        *("application/openmetrics-text;version=x", "application/openmetrics-text;version=1..0"),
        *("application/openmetrics-text;version=-1", "application/openmetrics-text;version="),
        *("text/plain;version=;;=", "*/*;q=nan", ",", "é", "application/openmetrics-text" * 500),
        "application/openmetrics-text;version=" + "9" * 5000,
    ],
)
def test_no_header_makes_it_fail(client: TestClient, accept: str) -> None:
    reply = client.get("/metrics", headers={"Accept": accept.encode()})
    assert reply.status_code == 200
    assert "watchline_start_time_seconds" in reply.text


def test_it_is_described(client: TestClient) -> None:
    said = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]
    assert {"text/plain", "application/openmetrics-text"} <= set(
        said["responses"]["200"]["content"]
    )
