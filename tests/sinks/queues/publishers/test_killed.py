"""Row 32: our own process is killed while events wait for a real broker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.servers import brokers
from tests.servers.processes import ServerProcess
from tests.sinks.queues.publishers import test_nats, test_redis
from tests.sinks.queues.publishers.sending import Received, keys, sending
from tests.sinks.queues.publishers.waiting import until

CHILD = """
import sys
from pathlib import Path
from tests.sinks.queues.publishers.sending import send, sending
from tests.sinks.queues.publishers.waiting import until

def stored():
    return delivery.outbox.stored == delivery.outbox.appended

with sending(Path(sys.argv[1]), sys.argv[2]) as delivery:
    send(delivery, 1, 400)
    until(lambda: delivery.delivered > 0)
    print("delivers", flush=True)
    sys.stdin.readline()
    send(delivery, 401, 1000)
    until(stored)
    print("stored", flush=True)
    sys.stdin.readline()
"""

Broker = tuple[Callable[[Path], ServerProcess], str, Callable[[ServerProcess], Received]]
BROKERS: dict[str, Broker] = {
    "redis": (brokers.redis, "redis", test_redis.received),
    "nats": (brokers.nats, "nats", test_nats.received),
}


@pytest.mark.parametrize("name", BROKERS)
def test_row_32_we_are_killed_with_a_backlog_and_nothing_is_lost(tmp_path: Path, name: str) -> None:
    start, scheme, received = BROKERS[name]
    with start(tmp_path) as server:
        url = f"{scheme}://127.0.0.1:{server.port}"
        command = [sys.executable, "-c", CHILD, str(tmp_path), url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as child:
            assert child.stdin is not None and child.stdout is not None
            assert child.stdout.readline() == "delivers\n"
            server.kill()
            child.stdin.write("\n")
            child.stdin.flush()
            assert child.stdout.readline() == "stored\n"
            child.kill()
        server.start()
        with sending(tmp_path, url) as delivery:
            until(lambda: delivery.outbox.drained())
        found = received(server)
    assert found.distinct() == keys(1, 1000)
    assert [f"r-{seq}" for seq in found.seqs] == found.keys, "what comes again has its key"
