"""What is ready to start in docs/monitoring fits what a run exposes, and its documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from pipeline.clock import SystemClock
from pipeline.control import SinkMeasures
from pipeline.histogram import Histogram
from pipeline.ledger import Counts
from sinks.annotated.recorder import VideoRecorder
from sinks.dashboard.exposition import STATES, make_registry
from sinks.queues.delivery import Delivery
from sinks.queues.messages import encode_in
from sinks.queues.outbox import Outbox
from tests.clock import NOON
from tests.paths import ROOT
from tests.sinks.dashboard.counted import Counted, camera, measures, source
from tests.sinks.queues.publishers.scripted import ScriptedPublisher

FOLDER = ROOT / "docs" / "monitoring"
DOCUMENTED = (ROOT / "docs" / "metrics.md").read_text()
BOARD = json.loads((FOLDER / "grafana" / "watchline.json").read_text())
ALERTS = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
YAML_FILES = sorted(FOLDER.rglob("*.yaml"))
NAME = re.compile(r"\b(?:watchline|process)_[a-z_]+\b")
SUFFIXES = {"counter": "_total", "info": "_info"}


class Family(NamedTuple):
    type: str
    labels: frozenset[str]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Family]:
    """All that a run can expose, by name."""
    folder, clock = tmp_path_factory.mktemp("exposed"), SystemClock()
    outbox = Outbox(folder / "outbox", "outbox", clock)
    sinks: dict[str, Any] = {
        "record": VideoRecorder({}),
        "sink:a": Delivery(outbox, encode_in("watchline"), ScriptedPublisher(), clock=clock),
    }
    of = source(Counts(2, 1, {"queue/overflow": 1}), stages={"detect": Histogram()})
    told = measures({"gate": of}, {"record": SinkMeasures(1, {"overflow": 1})})
    found = {}
    control: Any = Counted(told, [camera("gate")])
    for family in make_registry(control, sinks, NOON, "1").collect():
        assert family.samples, f"{family.name}: nothing to look at"
        labels = frozenset(label for sample in family.samples for label in sample.labels)
        kind = "gauge" if family.type == "info" else family.type
        name = family.name + SUFFIXES.get(family.type, "")
        found[name] = Family(kind, labels - {"le"})
    return found


def documented() -> Iterator[tuple[str, Family]]:
    """The rows of the tables."""
    for line in DOCUMENTED.splitlines():
        row = re.match(r"\| (`(?:watchline|process)_[^|]+) \| (\w+) \| ([^|]*)\|", line)
        if row is not None:
            labels = frozenset(word for word in row[3].replace(",", " ").split())
            for name in NAME.findall(row[1]):
                yield name, Family(row[2], labels)


def queries() -> Iterator[tuple[str, str]]:
    """All questions to Prometheus, and where they are asked."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", variable["definition"]
    for rule in RULES:
        yield rule["alert"], rule["expr"]


def test_the_table_has_all_that_is_exposed_and_nothing_else(exposed: dict[str, Family]) -> None:
    rows = list(documented())
    assert len(dict(rows)) == len(rows), "none stands twice"
    assert dict(rows) == exposed


def test_the_text_speaks_of_what_is_exposed(exposed: dict[str, Family]) -> None:
    assert set(NAME.findall(DOCUMENTED)) == set(exposed)


@pytest.mark.parametrize(("place", "query"), list(queries()))
def test_what_is_asked_for_is_exposed(exposed: dict[str, Family], place: str, query: str) -> None:
    names = NAME.findall(query)
    assert names or place == "WatchlineDown"
    for name in names:
        base = re.sub("_(bucket|sum|count)$", "", name)
        if base != name:
            assert exposed[base].type == "histogram"
        else:
            assert exposed[name].type != "histogram", "has no value of its own"
        labels = exposed[base].labels | ({"le"} if name.endswith("_bucket") else set())
        for matchers in re.findall(rf"\b{name}\{{([^}}]*)\}}", query):
            asked = set(re.findall(r"([a-z_]+)(?:=~|!~|!=|=)", matchers))
            assert asked <= labels | {"instance", "job"}


@pytest.mark.parametrize(("place", "query"), list(queries()))
def test_the_states_that_are_asked_for_exist(place: str, query: str) -> None:  # noqa: ARG001
    for states in re.findall(r'state=~?"([^"]+)"', query):
        assert set(states.split("|")) <= set(STATES)


def test_the_dashboard_shows_all_that_is_counted(exposed: dict[str, Family]) -> None:
    shown = {name for place, query in queries() if "panel" in place for name in NAME.findall(query)}
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    assert {name for name in exposed if name.startswith("watchline")} <= shown


def test_the_dashboard_names_every_state() -> None:
    (timeline,) = (panel for panel in BOARD["panels"] if panel["type"] == "state-timeline")
    (mapping,) = timeline["fieldConfig"]["defaults"]["mappings"]
    names = {number: of["text"] for number, of in mapping["options"].items()}
    assert set(names.values()) == set(STATES)
    asked = re.findall(r'state="(\w+)"\} \* (\d)', timeline["targets"][0]["expr"])
    assert {number: state for state, number in asked} == names


def test_panels_have_places_and_numbers_of_their_own() -> None:
    panels, taken = BOARD["panels"], set[tuple[int, int]]()
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies upon another"
        taken |= cells


def test_alerts_say_what_is_the_matter_and_are_documented() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(re.findall(r"\| `(Watchline\w+)` \|", DOCUMENTED)) == {r["alert"] for r in RULES}


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_files_load(path: Path) -> None:
    assert yaml.safe_load(path.read_text())


@pytest.fixture
def services() -> dict[str, Any]:
    compose = yaml.safe_load((FOLDER / "docker-compose.yaml").read_text())
    services: dict[str, Any] = compose["services"]
    named = {mount.partition(":")[0] for of in services.values() for mount in of["volumes"]}
    assert {name for name in named if not name.startswith(".")} == set(compose["volumes"])
    secrets = {secret for of in services.values() for secret in of.get("secrets", ())}
    assert secrets == set(compose["secrets"])
    return services


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """The files of ours that a server sees, by where it sees them."""
    parts = [mount.split(":") for mount in service["volumes"]]
    assert all(part[2] == "ro" for part in parts if part[0].startswith("."))
    return {part[1]: FOLDER / part[0] for part in parts if part[0].startswith(".")}


def test_servers_see_files_that_there_are(services: dict[str, Any]) -> None:
    for service in services.values():
        assert mounts(service)
        for path in mounts(service).values():
            assert path.exists(), path


def test_servers_are_of_a_known_version_and_heard_on_this_machine_alone(
    services: dict[str, Any],
) -> None:
    assert set(services) == {"prometheus", "grafana", "mosquitto"}
    for service in services.values():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
        assert service["network_mode"] == "host"
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    listeners = re.findall("^listener .*", (FOLDER / "mosquitto.conf").read_text(), re.M)
    assert listeners == ["listener 1883 127.0.0.1"]


def test_prometheus_finds_its_alerts_and_its_token(services: dict[str, Any]) -> None:
    seen = mounts(services["prometheus"])
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    assert "--config.file=/etc/prometheus/prometheus.yaml" in services["prometheus"]["command"]
    assert seen["/etc/prometheus/prometheus.yaml"] == FOLDER / "prometheus.yaml"
    assert [seen[f"/etc/prometheus/{name}"].name for name in config["rule_files"]] == [
        "alerts.yaml"
    ]
    (scrape,) = config["scrape_configs"]
    (secret,) = services["prometheus"]["secrets"]
    assert scrape["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert scrape["job_name"] == "watchline", "as alerts and panels have it"


def test_grafana_finds_its_dashboard_and_prometheus(services: dict[str, Any]) -> None:
    grafana = services["grafana"]
    seen, environment = mounts(grafana), grafana["environment"]
    folder = seen["/etc/grafana/provisioning"]
    (source_,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source_["url"] == "http://127.0.0.1:9090"
    (provider,) = yaml.safe_load((folder / "dashboards" / "watchline.yaml").read_text())[
        "providers"
    ]
    home = Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.parent == Path(provider["options"]["path"])
    assert seen[str(home)] == FOLDER / "grafana" / "watchline.json"
    (secret,) = grafana["secrets"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == f"/run/secrets/{secret}"
