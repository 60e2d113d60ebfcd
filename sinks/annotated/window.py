"""A window on the screen, which `sinks/annotated/display.py` runs as a process of its own.

The toolkit that OpenCV opens windows with ends the process where there is no screen, or where that
goes away. Here it ends nothing but the window.

Each time it could show something it writes a line, `WIDTH HEIGHT KEY` (its size in pixels, and the
number of a key or -1), and reads a picture: width and height, 4 bytes each, and that many BGR
pixels; none of both for nothing new. A picture of another size than the window's gives it that
size. Before all that it writes `ready`, and `closed` when the user has closed it. It ends with its
standard input.
"""

from __future__ import annotations

import struct
import sys
import time

import cv2
import numpy as np

HEADER = struct.Struct("<II")
PERIOD_S = 0.04
"""Between two pictures at least."""


def main(title: str) -> None:
    """Show what comes until nothing more does."""
    lines, pictures = sys.stdout, sys.stdin.buffer
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
    cv2.pollKey()
    lines.write("ready\n")
    while True:
        time.sleep(PERIOD_S)
        key = cv2.pollKey()
        if not _is_open(title):
            lines.write("closed\n")
            return
        size = tuple(max(side, 1) for side in cv2.getWindowImageRect(title)[2:])
        lines.write(f"{size[0]} {size[1]} {key}\n")
        header = pictures.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        width, height = HEADER.unpack(header)
        if not width:
            continue
        pixels = pictures.read(width * height * 3)
        if len(pixels) < width * height * 3:
            return
        if size != (width, height):
            cv2.resizeWindow(title, width, height)
        cv2.imshow(title, np.frombuffer(pixels, np.uint8).reshape(height, width, 3))


def _is_open(title: str) -> bool:
    try:
        return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1
    except cv2.error:  # Qt has let go of everything with its last window
        return False


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main(sys.argv[1])
