"""How many objects of each class a source had over time, in bins whose number is bounded."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.clock import utc

BINS = 600
"""Most bins; when they are full, pairs are merged and the bins are twice as long."""
_LEAST_S = 1e-6
"""Weight of a frame that took no time, so that a bin with no other has a mean."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)


@dataclass
class _Tally:
    """What is added up of a class; every column is (BINS,)."""

    new: Ints = field(default_factory=lambda: np.zeros(BINS, np.int64))
    presence_s: Floats = field(default_factory=lambda: np.zeros(BINS))
    most: Ints = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def merge(self) -> None:
        self.new = _merged(self.new, np.add)
        self.presence_s = _merged(self.presence_s, np.add)
        self.most = _merged(self.most, np.maximum)


class Counts:
    """Counts the objects of one source in bins of its time, which are whole seconds long.

    All that is kept of a bin can be merged, so that merged bins hold exactly what they would have
    held had they been so long from the start.
    """

    def __init__(self) -> None:
        self.bin_s = 1
        """Length of a bin, seconds; a power of two."""
        self.identified = False
        """Whether objects have ids, without which new ones cannot be told."""
        self._begun: dict[int, datetime] = {}
        """Wall time of the first frame of each bin that has any, in order."""
        self._watched_s: Floats = np.zeros(BINS)
        self._tallies: dict[str, _Tally] = {}
        self._last_id = 0

    @property
    def bins(self) -> int:
        """How many there are, up to the last with a frame."""
        return max(self._begun, default=-1) + 1

    @property
    def classes(self) -> list[str]:
        """Those that were seen, the most present first."""
        return sorted(self._tallies, key=lambda name: (-self._tallies[name].presence_s.sum(), name))

    def add(
        self,
        time_s: float,
        watched_s: float,
        wall_time: datetime,
        names: Sequence[str],
        ids: npt.NDArray[np.int64] | None,
    ) -> None:
        """Take the next frame into account.

        Args:
            time_s: of the frame since the source began; never less than that of the last one.
            watched_s: how long it stands for.
            wall_time: of the frame, UTC.
            names: (N,) class name of each object.
            ids: (N,) of each object; None where nothing tracks. An object is new if its id is
                larger than all before: trackers give ids in ascending order, each in a frame in
                which the object is seen.
        """
        index = self._bin(time_s)
        weight_s = max(watched_s, _LEAST_S)
        self._begun.setdefault(index, wall_time)
        self._watched_s[index] += weight_s
        for name, count in Counter(names).items():
            tally = self._tallies.setdefault(name, _Tally())
            tally.presence_s[index] += count * weight_s
            tally.most[index] = max(tally.most[index], count)
        if ids is not None:
            self.identified = True
            for row in np.flatnonzero(ids > self._last_id).tolist():
                self._tallies[names[row]].new[index] += 1
            self._last_id = max(self._last_id, ids.max(initial=0))

    def _bin(self, time_s: float) -> int:
        """The bin of a time, after as much merging as it takes."""
        while time_s >= BINS * self.bin_s:
            self._merge()
        return int(time_s // self.bin_s)

    def _merge(self) -> None:
        """Make bins twice as long."""
        self.bin_s *= 2
        begun, self._begun = self._begun, {}
        for index, wall_time in begun.items():
            self._begun.setdefault(index // 2, wall_time)
        self._watched_s = _merged(self._watched_s, np.add)
        for tally in self._tallies.values():
            tally.merge()

    def coarser(self, bins: int) -> Counts:
        """The same in at most so many bins."""
        counts = deepcopy(self)
        while counts.bins > bins:
            counts._merge()
        return counts

    def new(self, name: str) -> int:
        """How many objects of a class there were."""
        return int(self._tallies[name].new.sum())

    def at_once(self, name: str) -> tuple[Floats, Floats]:
        """How many objects of a class there were at once.

        Returns:
            mean (B,), over time, and maximum (B,), for each bin up to the last; NaN where nobody
            looked.
        """
        used = [*self._begun]
        mean, most = np.full((2, self.bins), np.nan)
        tally = self._tallies[name]
        mean[used] = tally.presence_s[used] / self._watched_s[used]
        most[used] = tally.most[used]
        return mean, most

    def csv(self) -> str:
        """A line a bin and class, for bins in which a frame was looked at."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(
            ("start_s", "start_time", "class", "new_objects", "mean_at_once", "max_at_once")
        )
        columns = [(name, self._tallies[name].new, *self.at_once(name)) for name in self.classes]
        for index, wall_time in self._begun.items():
            for name, new, mean, most in columns:
                count = int(new[index]) if self.identified else ""
                start = index * self.bin_s, utc(wall_time)
                lines.writerow((*start, name, count, f"{mean[index]:.3f}", int(most[index])))
        return text.getvalue()


def _merged(column: npt.NDArray[Number], how: np.ufunc) -> npt.NDArray[Number]:
    """Merge pairs of bins, which leaves the second half empty."""
    merged = np.zeros_like(column)
    merged[: BINS // 2] = how.reduce(column.reshape(-1, 2), axis=1)
    return merged
