"""Where the dashboard is served, and that nobody is let in by mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load_config
from pipeline.dashboard_config import DashboardConfig
from pipeline.errors import ConfigError, UsageError
from tests.paths import ROOT

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$hUmRHDdK6XN2hZjRSo1gUQ"
SECRET = "hunter2-hunter2-hunter2"


def dashboard(value: object) -> DashboardConfig:
    found = load_config(None, {}, {"dashboard": value}).dashboard
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        (8080, "127.0.0.1", 8080),
        ("8080", "127.0.0.1", 8080),
        (0, "127.0.0.1", 0),
        ("localhost:8080", "localhost", 8080),
        ("127.0.0.2:65535", "127.0.0.2", 65535),
        ("[::1]:8080", "::1", 8080),
        ({"listen": 8080}, "127.0.0.1", 8080),
        ({"listen": "0.0.0.0:80", "password": SECRET}, "0.0.0.0", 80),
        ({"listen": "[::]:80", "token": SECRET}, "::", 80),
        ({"listen": "cam.example:80", "password_hash": HASH}, "cam.example", 80),
    ],
)
def test_an_address_is_a_host_and_a_port(value: object, host: str, port: int) -> None:
    found = dashboard(value)
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            ":",
            "x",
            "8080x",
            "-1",
            "65536",
            "99999",
            "1e3",
            "8080.0",
            "host:",
            ":8080",
            " 8080",
        ),
        *("8080\n", "::1:8080", "[::1]", "a b:80", "http://localhost:8080", "user@host:80"),
        *("host:80:90", "\u0664\u0662", "host\0:80", "a" * 300 + ":80", "/run/socket", "*:80"),
        *(True, 80.5, ["80"], b"80", -1, 65536, 10**5000),
    ],
    ids=lambda value: "huge" if isinstance(value, int) and value > 1e9 else repr(value)[:30],
)
def test_what_is_no_address(value: object) -> None:
    with pytest.raises(UsageError, match=r"^command line: dashboard\.listen: "):
        dashboard(value)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:80", "[::]:80", "10.0.0.5:80", "cam.example:80", "127.0.0.1.nip.io:80"]
)
def test_nobody_is_let_in_by_mistake(listen: str) -> None:
    with pytest.raises(UsageError, match=r"WATCHLINE__DASHBOARD__PASSWORD") as caught:
        dashboard(listen)
    assert str(caught.value).startswith(f"command line: dashboard.listen: {listen} can be reached")
    for secret in ({"password": SECRET}, {"token": SECRET}, {"password_hash": HASH}):
        assert dashboard({"listen": listen, **secret}).needs_login


def test_behind_a_proxy_people_log_in_too() -> None:
    with pytest.raises(UsageError, match=r"people must log in"):
        dashboard({"listen": 8080, "hosts": ["cam.example"]})
    dashboard({"listen": 8080, "hosts": ["cam.example"], "password": SECRET})


@pytest.mark.parametrize("listen", [8080, "localhost:80", "127.9.9.9:80", "[::1]:80"])
def test_on_this_machine_nobody_needs_to(listen: object) -> None:
    assert not dashboard({"listen": listen}).needs_login


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"password": "hunter2"}, "dashboard.password: must have 8 to 1000 characters"),
        ({"password": SECRET * 50}, "dashboard.password: must have 8 to 1000 characters"),
        ({"password": 12345678}, "dashboard.password: input should be a valid string"),
        ({"password": ["hunter2"]}, "dashboard.password: input should be a valid string"),
        ({"token": "hunter2"}, "dashboard.token: must have at least 16 characters"),
        ({"token": f"{SECRET} {SECRET}"}, "dashboard.token: must have at least 16 characters"),
        ({"token": f"{SECRET}é"}, "dashboard.token: must have at least 16 characters"),
        ({"token": f"{SECRET}\n"}, "dashboard.token: must have at least 16 characters"),
        ({"password_hash": SECRET}, "dashboard.password_hash: must be an argon2 hash"),
        ({"password_hash": f"$argon2id${SECRET}\n"}, "dashboard.password_hash: must be an argon2"),
        ({"password": SECRET, "password_hash": HASH}, "dashboard.password_hash: there is a passw"),
        ({"hosts": "cam.example"}, "dashboard.hosts: input should be a valid list"),
        ({"hosts": ["CAM.example"]}, "dashboard.hosts: must be names of hosts in small letters"),
        ({"hosts": ["cam.example:80"]}, "dashboard.hosts: must be names of hosts"),
        ({"hosts": ["http://cam"]}, "dashboard.hosts: must be names of hosts"),
        ({"hosts": ["a"] * 101}, "dashboard.hosts: list should have at most 100 items"),
        ({"tls": "cert.pem"}, "dashboard.tls: must hold 'key: value' lines"),
        ({"tls": {"certificate": "a"}}, "dashboard.tls.key: is missing"),
        ({"tls": {"certificate": "a\0", "key": "b"}}, "dashboard.tls.certificate: must not hold"),
        ({"folder": ""}, "dashboard.folder: must be a path"),
        ({"keep": {"max_age": "-1"}}, "dashboard.keep.max_age: "),
        ({"keep": {"max_size": "much"}}, "dashboard.keep.max_size: "),
        ({"pasword": SECRET}, "unknown key 'dashboard.pasword'; did you mean 'password'?"),
    ],
)
def test_a_wrong_value_is_named_and_no_secret_is_shown(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        dashboard({"listen": 8080, **settings})
    assert str(caught.value).startswith(f"command line: {message}")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["password", "token"])
def test_secrets_come_from_the_environment(key: str) -> None:
    environment = {f"WATCHLINE__DASHBOARD__{key.upper()}": SECRET}
    flags = {"dashboard": {"listen": "0.0.0.0:80"}}
    found = load_config(None, environment, {}).dashboard
    assert found is not None
    assert found.listen is None
    assert getattr(found, key) == SECRET
    merged = load_config(None, environment, flags).dashboard
    assert merged is not None
    assert merged.needs_login
    short = {f"WATCHLINE__DASHBOARD__{key.upper()}": "hunter2"}
    with pytest.raises(ConfigError, match=rf"^environment: dashboard\.{key}: must have") as caught:
        load_config(None, short, {})
    assert "hunter2" not in str(caught.value)


def test_a_file_may_leave_the_password_to_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "watchline.yaml"
    path.write_text("dashboard: 0.0.0.0:80\n")
    password = {"WATCHLINE__DASHBOARD__PASSWORD": SECRET}
    for environment in (password, {**password, "WATCHLINE__DASHBOARD": "0.0.0.0:80"}):
        found = load_config(path, environment, {}).dashboard
        assert found is not None
        assert (found.listen, found.needs_login) == ("0.0.0.0:80", True)
    with pytest.raises(ConfigError, match=r"^dashboard\.listen: 0\.0\.0\.0:80 can be reached"):
        load_config(path, {}, {})


def test_nothing_that_is_printed_has_a_secret() -> None:
    hidden = {"listen": 8080, "password": SECRET, "token": SECRET}
    config = load_config(None, {}, {"dashboard": hidden})
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)
    assert HASH not in repr(dashboard({"listen": 8080, "password_hash": HASH}))


def test_the_example_tells_the_defaults() -> None:
    example = load_config(ROOT / "configs" / "dashboard.yaml", {}, {}).dashboard
    assert example is not None
    assert not example.needs_login
    assert example.is_loopback
    assert example.keep == DashboardConfig().keep


def test_all_that_the_example_leaves_out_is_right_too(tmp_path: Path) -> None:
    """Its comments are a configuration."""
    commented = (ROOT / "configs" / "dashboard.yaml").read_text()
    keys = "password_hash|token|hosts|tls|  certificate|  key|folder"
    text = re.sub(rf"^  # ({keys}):", r"  \1:", commented, flags=re.MULTILINE)
    (tmp_path / "all.yaml").write_text(text)
    found = load_config(tmp_path / "all.yaml", {}, {}).dashboard
    assert found is not None
    left_out = ("password_hash", "token", "hosts", "tls", "folder")
    assert set(left_out) <= found.model_fields_set


def test_no_secret_is_in_the_error_behind_the_error() -> None:
    with pytest.raises(UsageError) as caught:
        dashboard({"listen": 8080, "password": "hunter2"})
    assert "hunter2" not in str(caught.value.__cause__)
