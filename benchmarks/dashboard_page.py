"""The page itself in a browser: what `dashboard.py` runs as another process.

    python benchmarks/dashboard_page.py URL CAMERAS

Says "ready" when the page shows so many cameras, and, when its input ends, what it was sent since
as JSON.
"""

from __future__ import annotations

import json
import shutil
import struct
import sys
import threading

from playwright.sync_api import sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
SIZE = {"width": 1440, "height": 900}
_TURN_MS = 100


def main(url: str, cameras: int) -> None:
    """Look until the input ends."""
    ages_s: list[float] = []

    def note(payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            (length,) = struct.unpack_from(">I", payload)
            ages_s.append(json.loads(payload[4 : 4 + length])["age_s"])

    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.on("websocket", lambda socket: socket.on("framereceived", note))
        page.goto(url)
        page.locator("canvas[data-index]").nth(cameras - 1).wait_for(timeout=60_000)
        ages_s.clear()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while not ended.is_set():
            page.wait_for_timeout(_TURN_MS)  # lets the page's messages in
        browser.close()
    found = {"pictures": len(ages_s), "age_s": sorted(ages_s)[len(ages_s) // 2]}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
