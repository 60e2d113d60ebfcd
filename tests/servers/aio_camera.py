"""An RTSP server on aio-rtsp-toolkit for machines without GStreamer. Run, never imported.

It serves the files of a folder over TCP. When it is ready it prints one line of JSON,
{"url": "rtsp://127.0.0.1:PORT"}. It ends on SIGTERM and when its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading

from aio_rtsp_toolkit.server import RtspServer  # type: ignore[import-untyped]

HOST = "127.0.0.1"


async def serve(folder: str, port: int) -> None:
    server = RtspServer(folder, HOST, port)
    server.logger = Silent()
    await server.start()
    assert server._server is not None
    bound = server._server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"url": f"rtsp://{HOST}:{bound}"}) + "\n")
    sys.stdout.flush()
    await server.serve_forever()


class Silent:
    """A logger for the toolkit, which logs to the standard output otherwise."""

    def __getattr__(self, _level: str) -> object:
        return lambda *_: None


def end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    threading.Thread(target=end_with_stdin, daemon=True).start()
    asyncio.run(serve(arguments.folder, arguments.port))
