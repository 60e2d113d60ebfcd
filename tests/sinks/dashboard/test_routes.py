"""The API of cameras, rules, the run and its health; and what describes it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from pipeline.control import Conflict
from tests.sinks.dashboard.double import ControlDouble, camera
from tests.sinks.dashboard.served import BEARER, LOGIN, Served, served


@pytest.fixture
def control() -> ControlDouble:
    return ControlDouble()


@pytest.fixture
def server(control: ControlDouble) -> Iterator[Served]:
    with served(control) as found:
        yield found


def test_a_camera_is_described(server: Served) -> None:
    with server.client() as client:
        described = client.get("/api/cameras/gate").json()
        assert client.get("/api/cameras").json() == {"cameras": [described]}
    assert described == {
        "id": "gate",
        "address": "rtsp://***@10.0.0.5/stream1",
        "live": True,
        "state": "online",
        "reason": None,
        "since": "2026-01-01T12:00:00.000Z",
        "outages": 1,
        "width": 1920,
        "height": 1080,
        "fps": 25.0,
        "detect_fps": 5.0,
        "latency_s": {"p50": 0.05, "p95": 0.2},
        "captured": 100,
        "inferred": 60,
        "dropped": {"schedule/rate": 30, "lane/full": 10},
        "overload": False,
        "settings": {"detect_fps": 5.0, "motion": None, "priority": 1.0},
    }


def test_a_camera_of_which_nothing_is_known_yet() -> None:
    new = camera("new", state="reading", since=None, size=None, latency_s=None, reason="why")
    with served(ControlDouble(new)) as server, server.client() as client:
        described = client.get("/api/cameras/new").json()
    unknown = {"since", "width", "height", "latency_s"}
    assert {key for key, value in described.items() if value is None} == unknown
    assert described["reason"] == "why"


def test_a_camera_comes_changes_and_goes(server: Served) -> None:
    new = {"source": "rtsp://10.0.0.6/1", "id": "yard", "detect_fps": 5, "motion": True}
    with server.client() as client:
        reply = client.post("/api/cameras", json=new)
        assert reply.status_code == 201
        assert reply.json()["settings"] == {"detect_fps": 5, "motion": True}
        reply = client.patch("/api/cameras/yard", json={"detect_fps": None, "priority": 2})
        assert reply.json()["settings"] == {"detect_fps": None, "motion": True, "priority": 2}
        assert reply.json()["address"] == "rtsp://10.0.0.6/1"
        motion = {"threshold": 10}
        reply = client.patch("/api/cameras/yard", json={"motion": motion, "source": "rtsp://x/2"})
        assert reply.json()["settings"]["motion"] == motion
        assert reply.json()["address"] == "rtsp://x/2"
        for action, state in (("pause", "paused"), ("resume", "connecting")):
            assert client.post(f"/api/cameras/yard/{action}").json()["state"] == state
        assert client.delete("/api/cameras/yard").status_code == 204
        assert client.get("/api/cameras/yard").status_code == 404


def test_a_camera_that_is_not_there(server: Served) -> None:
    requests = [("GET", ""), ("PATCH", ""), ("DELETE", "")]
    requests += [("POST", f"/{action}") for action in ("pause", "resume", "restart")]
    with server.client() as client:
        for camera_id in ("yard", "%00", "%ff", "a" * 5000, "%1b%5b2J%0a", "gate%0a", "GATE"):
            for method, path in requests:
                body = {"json": {}} if method == "PATCH" else {}
                reply = client.request(method, f"/api/cameras/{camera_id}{path}", **body)
                assert reply.status_code == 404, f"{method} {camera_id}{path}"
                assert len(reply.json()["detail"]) < 600
                assert "\n" not in reply.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"source": "rtsp://x/1", "id": "gate"}, 409, "gate: the id is taken"),
        ({"source": "nowhere"}, 422, "source: must be a URL"),
        ({}, 422, "source: field required"),
        ({"source": None}, 422, "source: input should be a valid string"),
        ({"source": "rtsp://x/1", "id": "a b"}, 422, "id: "),
        ({"source": "rtsp://x/1", "id": "a\n"}, 422, "id: "),
        ({"source": "rtsp://x/1", "detect_fps": "5"}, 422, "detect_fps: "),
        ({"source": "rtsp://x/1", "privacy": 1}, 422, "privacy: "),
        ({"source": "rtsp://u:hunter2@x/" + "a" * 2000}, 422, "source: "),
        ({"source": "\ud800"}, 422, "source: "),
    ],
)
def test_a_wrong_setting_is_named(
    server: Served, body: dict[str, object], status: int, detail: str
) -> None:
    with server.client() as client:
        content, headers = json.dumps(body), {"Content-Type": "application/json"}
        reply = client.post("/api/cameras", content=content, headers=headers)
        assert reply.status_code == status
        assert reply.json()["detail"].startswith(detail)
        assert "hunter2" not in reply.text


@pytest.mark.parametrize("body", [{"source": None}, {"priority": None}, {"source": ""}, []])
def test_a_wrong_change_changes_nothing(server: Served, body: object) -> None:
    with server.client() as client:
        before = client.get("/api/cameras/gate").json()
        assert client.patch("/api/cameras/gate", json=body).status_code == 422
        assert client.get("/api/cameras/gate").json() == before


def test_secrets_of_addresses_are_hidden_in_errors(server: Served, control: ControlDouble) -> None:
    control.fault = Conflict("rtsp://admin:hunter2@10.0.0.5/1:\n  does not answer")
    with server.client() as client:
        reply = client.get("/api/cameras")
    assert reply.status_code == 409
    assert reply.json() == {"detail": "rtsp://***@10.0.0.5/1: does not answer"}


def test_rules_are_replaced(server: Served) -> None:
    zone = {"name": "Grüße", "polygon": [[0, 0], [1, 0], [1, 1]]}
    with server.client() as client:
        before = client.get("/api/rules").json()
        assert before == {"revision": "1", "zones": [], "lines": []}
        after = client.put("/api/rules", json=before | {"zones": [zone]})
        assert after.json() == {"revision": "2", "zones": [zone], "lines": []}
        assert client.get("/api/rules").json() == after.json()
        late = client.put("/api/rules", json=before)
        assert (late.status_code, late.json()["detail"]) == (
            409,
            "the rules have changed meanwhile",
        )
        wrong = client.put("/api/rules", json=after.json() | {"zones": [{}]})
        assert (wrong.status_code, wrong.json()["detail"]) == (422, "zones.0.name: is missing")


def test_the_run_is_described(server: Served, control: ControlDouble) -> None:
    with server.client() as client:
        assert client.get("/api/system").json() == {
            "version": "0.1.0",
            "saves": True,
            "why_not_saved": None,
            "class_names": ["person", "car"],
            "annotated": False,
            "segments": False,
            "clips": True,
            "run_since": "2026-01-01T12:00:00.000Z",
        }
        control.why_not_saved = "there is no configuration file"
        told = client.get("/api/system").json()
        assert (told["saves"], told["why_not_saved"]) == (False, "there is no configuration file")


def test_everybody_may_ask_how_it_is(control: ControlDouble) -> None:
    with served(control, **LOGIN) as server, server.client() as client:
        for path, status in (("live", "live"), ("ready", "ready")):
            reply = client.get(f"/api/health/{path}")
            assert (reply.status_code, reply.json()) == (200, {"status": status})
        control.is_running = False
        reply = client.get("/api/health/ready")
        assert (reply.status_code, reply.json()) == (503, {"status": "ending"})
        assert client.get("/api/health/live").status_code == 200


def test_a_fault_of_ours_is_logged_and_not_shown(
    server: Served, control: ControlDouble, caplog: pytest.LogCaptureFixture
) -> None:
    control.fault = RuntimeError("hunter2 at line 5")
    with server.client() as client:
        reply = client.get("/api/cameras?secret=1")
        assert reply.status_code == 500
        assert reply.json() == {"detail": "internal error; the log has more"}
        assert reply.headers["x-content-type-options"] == "nosniff"
        control.fault = None
        assert client.get("/api/cameras").status_code == 200
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.getMessage() == "dashboard: GET '/api/cameras' failed"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)


def test_without_credentials_it_asks_for_none(server: Served) -> None:
    with server.client() as client:
        assert "security" not in client.get("/api/openapi.json").json()


def test_the_api_describes_itself() -> None:
    with served(**LOGIN) as server, server.client(headers=BEARER) as client:
        described = client.get("/api/openapi.json").json()
        assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    assert (described["info"]["title"], described["info"]["version"]) == ("Watchline", "0.1.0")
    assert set(described["components"]["securitySchemes"]) == {"bearer", "cookie"}
    assert described["security"] == [{"bearer": []}, {"cookie": []}]
    public = {
        (method, path)
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
        if operation.get("security") == []
    }
    assert public == {
        ("get", "/api/session"),
        ("post", "/api/session"),
        ("get", "/api/health/live"),
        ("get", "/api/health/ready"),
    }
    pause = described["paths"]["/api/cameras/{camera_id}/pause"]["post"]
    assert {"200", "401", "403", "404", "409"} <= set(pause["responses"])
    problem = {"$ref": "#/components/schemas/Problem"}
    for operations in described["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["responses"]["422"]["content"]["application/json"]["schema"] == problem
    assert "HTTPValidationError" not in described["components"]["schemas"]
    reply = described["components"]["schemas"]["CameraReply"]["properties"]["address"]
    assert reply["description"] == "Without secrets."
