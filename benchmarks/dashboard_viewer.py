"""A page that watches cameras, without the page: what `dashboard.py` runs as another process.

    python benchmarks/dashboard_viewer.py HOST:PORT VIEWERS CAMERA...

Says "ready" when all viewers have seen a picture of each camera, and, when its input ends, what
they have seen since as JSON.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections.abc import Sequence

from websockets.asyncio.client import connect

WIDTH, FPS = 640, 10


class Seen:
    """What has arrived, of all viewers together."""

    def __init__(self, viewers: int, cameras: Sequence[str]) -> None:
        self.missing = {(viewer, camera) for viewer in range(viewers) for camera in cameras}
        self.pictures, self.size = 0, 0
        self.ages_s: list[float] = []

    def count(self, viewer: int, message: bytes) -> str:
        """Count a picture; the camera that it is of."""
        (length,) = struct.unpack_from(">I", message)
        header = json.loads(message[4 : 4 + length])
        self.pictures += 1
        self.size += len(message)
        self.ages_s.append(header["age_s"])
        camera = str(header["camera"])
        if self.missing:
            self.missing.discard((viewer, camera))
            if not self.missing:
                self.pictures, self.size, self.ages_s = 0, 0, []
                sys.stdout.write("ready\n")
                sys.stdout.flush()
        return camera


async def look(address: str, viewer: int, cameras: Sequence[str], seen: Seen) -> None:
    """Watch cameras and acknowledge each picture."""
    uri = f"ws://{address}/api/live"
    async with connect(uri, compression=None, max_size=None, proxy=None) as socket:
        watch = [{"camera": camera, "width": WIDTH, "fps": FPS} for camera in cameras]
        await socket.send(json.dumps({"watch": watch}))
        async for message in socket:
            assert isinstance(message, bytes)
            await socket.send(json.dumps({"ack": seen.count(viewer, message)}))


async def main(address: str, viewers: int, cameras: Sequence[str]) -> None:
    """Look until the input ends."""
    seen = Seen(viewers, cameras)
    looking = [
        asyncio.create_task(look(address, viewer, cameras, seen)) for viewer in range(viewers)
    ]
    await asyncio.to_thread(sys.stdin.read)
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    ages_s = sorted(seen.ages_s) or [0.0]
    found = {
        "pictures": seen.pictures,
        "bytes": seen.size,
        "age_s": ages_s[len(ages_s) // 2],
        "cpu_s": time.process_time(),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
