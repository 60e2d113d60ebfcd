"""What the test cameras of this folder show."""

from __future__ import annotations

FPS = 25
GOP = 25
"""Frames from one keyframe to the next."""
LOOP = 100
"""Frames of the film; after the last comes the first again."""
SIZE = (240, 320)
