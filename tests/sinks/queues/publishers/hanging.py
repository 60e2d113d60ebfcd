"""The end of a run whose receiver hangs."""

from __future__ import annotations

import threading

from sinks.queues.delivery import Delivery
from tests.servers.processes import ServerProcess
from tests.sinks.queues.publishers.sending import send

PATIENCE_S = 60.0


def end_while_frozen(server: ServerProcess, delivery: Delivery) -> None:
    """Send something to a server that answers nothing any more, and end the delivery.

    Its threads may still wait for the server; they end with it.
    """
    with server.frozen():
        send(delivery, 1001, 1500)
        ending = threading.Thread(target=delivery.__exit__, args=(None, None, None))
        ending.start()
        ending.join(PATIENCE_S)
        assert not ending.is_alive()
    for thread in delivery._threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
