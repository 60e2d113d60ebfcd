"""Message brokers for tests, each keeping on disk what it has acknowledged."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.servers.processes import ServerProcess, binary, free_port


def mosquitto(
    folder: Path,
    password: str | None = None,
    certificate: tuple[Path, Path] | None = None,
    writable: str | None = None,
) -> ServerProcess:
    """An MQTT broker.

    Args:
        folder: for its data.
        password: of the user "cam"; None lets everybody in.
        certificate: and its key, to speak TLS.
        writable: the only topics that everybody may write; None for all.
    """
    program, port = binary("mosquitto", "mosquitto"), free_port()
    folder.chmod(0o777)
    lines = [f"listener {port} 127.0.0.1", "user root", "persistence false"]
    lines += ["max_queued_messages 0"]
    if password is None:
        lines += ["allow_anonymous true"]
    else:
        users = folder / "users"
        tool = binary("mosquitto_passwd", "mosquitto")
        subprocess.run([tool, "-b", "-c", str(users), "cam", password], check=True, timeout=30)
        lines += ["allow_anonymous false", f"password_file {users}"]
    if certificate is not None:
        lines += [f"certfile {certificate[0]}", f"keyfile {certificate[1]}"]
    if writable is not None:
        (folder / "rights").write_text(f"topic read #\ntopic write {writable}\n")
        lines += [f"acl_file {folder / 'rights'}"]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    return ServerProcess([program, "-c", str(folder / "mosquitto.conf")], port, folder)


def redis(
    folder: Path,
    *,
    append_only: bool = True,
    password: str | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> ServerProcess:
    """A Redis server that syncs every write to disk, or none; with a certificate it speaks TLS."""
    program, port = binary("redis-server", "redis-server"), free_port()
    command = [program, "--bind", "127.0.0.1", "--dir", str(folder)]
    if certificate is None:
        command += ["--port", str(port)]
    else:
        command += ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
        command += ["--tls-cert-file", str(certificate[0]), "--tls-key-file", str(certificate[1])]
        command += ["--tls-ca-cert-file", str(certificate[0])]
    command += ["--save", "", "--appendonly", "yes" if append_only else "no"]
    command += ["--appendfsync", "always"]
    command += ["--requirepass", password] if password else []
    return ServerProcess(command, port, folder)


def nats(
    folder: Path, password: str | None = None, certificate: tuple[Path, Path] | None = None
) -> ServerProcess:
    """A NATS server with JetStream; with a password for the user "cam"; it may demand TLS."""
    program, port = binary("nats-server", "nats-server"), free_port()
    command = [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "js")]
    command += ["--user", "cam", "--pass", password] if password else []
    if certificate is not None:
        command += ["--tls", "--tlscert", str(certificate[0]), "--tlskey", str(certificate[1])]
    return ServerProcess(command, port, folder)


def rabbitmq(folder: Path) -> RabbitProcess:
    """A RabbitMQ broker, its own Erlang node."""
    binary("rabbitmq-server", "rabbitmq-server")
    server = _rabbitmq_program()
    port = free_port()
    node = f"watchline{port}@localhost"
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\nvm_memory_high_watermark.absolute = 512MB\n"
        "disk_free_limit.absolute = 1MB\n"
    )
    (folder / "enabled_plugins").write_text("[].\n")
    (folder / "home").mkdir(exist_ok=True)
    environment = {
        "HOME": str(folder / "home"),
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        "ERL_EPMD_PORT": str(free_port()),
    }
    return RabbitProcess([server], port, folder, environment=environment)


class RabbitProcess(ServerProcess):
    """What starts it is a shell script that becomes the Erlang node, besides a name server."""

    def control(self, *command: str) -> None:
        """Run its command `rabbitmqctl`."""
        tool = str(Path(_rabbitmq_program()).with_name("rabbitmqctl"))
        subprocess.run(
            [tool, *command], env=self._environment, check=True, capture_output=True, timeout=60
        )

    def __exit__(self, *error: object) -> None:
        super().__exit__(None, None, None)
        environment = {**os.environ, "ERL_EPMD_PORT": self._environment["ERL_EPMD_PORT"]}
        subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, timeout=30)


def _rabbitmq_program() -> str:
    """The script itself: Debian's on the path changes the user."""
    inner = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(inner) if inner.exists() else binary("rabbitmq-server", "rabbitmq-server")
