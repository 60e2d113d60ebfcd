"""Recordings and clips over HTTP, from a real server: lists, files, and ways out of the folder."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Scope

from sinks.archive.recording_names import recording_key, stem
from sinks.dashboard.recordings import SETTLED_S, Recordings, Wanted, place_of
from sinks.dashboard.routes.clips import clips_router
from sinks.dashboard.routes.recorded_file import recorded_file
from sinks.dashboard.routes.recordings import recordings_router
from tests.clock import NOON
from tests.sinks.archive.archives import archive, earlier, record
from tests.sinks.dashboard.serving import serving

VIDEO = bytes(range(256)) * 40


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    recordings = Recordings(
        {kind: tmp_path / kind for kind in ("annotated", "segments", "clips")}  # type: ignore[misc]
    )
    with serving(recordings_router(recordings), clips_router(recordings)) as client:
        yield client


def video(folder: Path, camera: str = "gate", hour: float = 0.0, suffix: str = ".mp4") -> Path:
    path = earlier(folder, camera, hour, suffix)
    path.write_bytes(VIDEO)
    return path


def listed(client: httpx.Client, query: str = "", of: str = "recordings") -> list[str]:
    reply = client.get(f"/api/{of}?{query}")
    assert reply.status_code == 200
    return [one["name"] for one in reply.json()[of]]


def test_nothing_is_recorded_yet(client: httpx.Client) -> None:
    assert client.get("/api/recordings").json() == {"recordings": [], "next": None}
    assert client.get("/api/clips").json() == {"clips": [], "next": None}


def test_what_archives_hold_newest_first(client: httpx.Client, tmp_path: Path) -> None:
    with archive(tmp_path / "segments") as segments, archive(tmp_path / "annotated") as annotated:
        first = record(segments, "gate", 0, size=1000, lines=2)
        record(segments, "yard", 2, size=2000)
        record(annotated, "gate", 1, size=3000)
        segments.begin("gate", NOON + timedelta(hours=3)).write_bytes(VIDEO)  # is being written
        told = client.get("/api/recordings").json()
    assert [(one["kind"], one["camera"], one["bytes"]) for one in told["recordings"]] == [
        ("segments", "yard", 2000),
        ("annotated", "gate", 3000),
        ("segments", "gate", 1000),
    ]
    assert told["next"] is None
    assert told["recordings"][2] == {
        "kind": "segments",
        "camera": "gate",
        "name": first.name,
        "begun": "2026-01-01T12:00:00.000Z",
        "bytes": 1000,
        "url": f"/api/recordings/segments/gate/{first.name}",
        "detections_url": f"/api/recordings/segments/gate/{first.stem}.jsonl",
    }
    assert told["recordings"][0]["detections_url"] is None
    assert client.get(told["recordings"][2]["url"]).content == first.read_bytes()
    detections = client.get(told["recordings"][2]["detections_url"])
    assert (detections.content, detections.headers["content-type"]) == (
        b"{}\n{}\n",
        "application/x-ndjson",
    )


def test_only_some(client: httpx.Client, tmp_path: Path) -> None:
    for hour in range(5):
        video(tmp_path / "segments", "gate", hour)
        video(tmp_path / "annotated", "yard", hour + 0.5, ".mov")
    assert len(listed(client, "camera=gate&camera=yard&camera=nobody")) == 10
    assert len(listed(client, "camera=yard&kind=segments")) == 0
    assert len(listed(client, "kind=annotated")) == 5
    query = "since=2026-01-01T13:00:00Z&until=2026-01-01T14:30:00Z"
    assert [name[5:20] for name in listed(client, query)] == [
        *("20260101T140000", "20260101T133000", "20260101T130000")
    ]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_pages_have_each_once_while_files_come_and_go(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[str, int]],
    limit: int,
    random: Random,
) -> None:
    folder = tmp_path_factory.mktemp("recordings")
    paths = [video(folder, camera, hour) for camera, hour in set(files)]
    recordings = Recordings({"segments": folder})
    seen, before, gone = list[str](), None, set[str]()
    while True:
        wanted = Wanted(["segments"], before=before)
        page = list(islice(recordings.newest(wanted), limit))
        if not page:
            break
        seen += [one.name for one in page]
        before = place_of(page[-1].cursor)
        assert before is not None
        if random.random() < 0.5:
            page[-1].path.unlink()  # what the cursor tells of, too
        video(folder, "a", 1000 + len(seen))
        rest = [path for path in paths if path.exists() and path.name not in seen]
        if rest:
            goes = random.choice(rest)
            goes.unlink()
            gone.add(goes.name)
    assert len(seen) == len(set(seen))
    assert set(seen) == {path.name for path in paths} - gone
    assert [name[2:] for name in seen] == sorted((name[2:] for name in seen), reverse=True)


def test_a_folder_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    recordings = Recordings({"segments": folder})
    paths = [video(folder, hour=hour) for hour in range(3)]
    for turn in range(2):
        long_ago = paths[0].parent.stat().st_mtime - SETTLED_S - 10
        os.utime(paths[0].parent, (long_ago, long_ago))
        assert len(list(recordings.newest(Wanted(["segments"])))) == len(paths)
        assert recordings._listings  # now it is remembered
        paths.append(video(folder, hour=10 + turn))
        assert len(list(recordings.newest(Wanted(["segments"])))) == len(paths)
        paths.pop(0).unlink()
        assert len(list(recordings.newest(Wanted(["segments"])))) == len(paths)


RANGES = [
    ("bytes=0-0", 206, VIDEO[:1], "bytes 0-0/10240"),
    ("bytes=100-199", 206, VIDEO[100:200], "bytes 100-199/10240"),
    ("bytes=10000-", 206, VIDEO[10000:], "bytes 10000-10239/10240"),
    ("bytes=-7", 206, VIDEO[-7:], "bytes 10233-10239/10240"),
    ("bytes=-99999", 206, VIDEO, "bytes 0-10239/10240"),
    ("bytes=5-99999", 206, VIDEO[5:], "bytes 5-10239/10240"),
    ("bytes=10240-", 416, None, "bytes */10240"),
    ("bytes=x", 400, None, None),
    ("pages=1-2", 400, None, None),
    ("bytes=9-2", 400, None, None),
]


@pytest.mark.parametrize(("asked", "status", "content", "told"), RANGES)
def test_ranges(
    client: httpx.Client,
    tmp_path: Path,
    asked: str,
    status: int,
    content: bytes | None,
    told: str | None,
) -> None:
    path = video(tmp_path / "segments")
    reply = client.get(f"/api/recordings/segments/gate/{path.name}", headers={"Range": asked})
    assert (reply.status_code, reply.headers.get("content-range")) == (status, told)
    if content is None:
        assert reply.json()["detail"].startswith("Range: ")
    else:
        assert (reply.content, reply.headers["content-type"]) == (content, "video/mp4")


def test_several_ranges(client: httpx.Client, tmp_path: Path) -> None:
    path = video(tmp_path / "segments")
    url = f"/api/recordings/segments/gate/{path.name}"
    reply = client.get(url, headers={"Range": "bytes=0-9, 1000-1009"})
    assert reply.status_code == 206
    assert reply.headers["content-type"].startswith("multipart/byteranges; boundary=")
    for begin in (0, 1000):
        part = b"Content-Range: bytes %d-%d/10240\r\n\r\n" % (begin, begin + 9)
        assert part + VIDEO[begin : begin + 10] in reply.content


def test_a_range_of_a_file_that_changed_is_all_of_it(client: httpx.Client, tmp_path: Path) -> None:
    url = f"/api/recordings/segments/gate/{video(tmp_path / 'segments').name}"
    etag = client.get(url).headers["etag"]
    for known, status in ((etag, 206), ('"another"', 200)):
        reply = client.get(url, headers={"Range": "bytes=0-9", "If-Range": known})
        assert reply.status_code == status


def test_what_a_file_is_saved_as(client: httpx.Client, tmp_path: Path) -> None:
    url = f"/api/recordings/segments/gate/{video(tmp_path / 'segments').name}"
    shown, saved = client.get(url), client.get(f"{url}?download=true")
    name = "gate_20260101T120000.000Z.mp4"
    assert shown.headers["content-disposition"] == f'inline; filename="{name}"'
    assert saved.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert client.get(f"{url}?download=perhaps").status_code == 422


@pytest.fixture
def laid(tmp_path: Path) -> str:
    """Files that nobody may have, around one that all may; its name."""
    path = video(tmp_path / "segments")
    video(tmp_path / "segments", "yard")
    outside = tmp_path / "outside"
    video(outside, "gate", 5)
    (tmp_path / "secret.mp4").write_text("secret")
    folder = path.parent
    for hour, target in ((1, tmp_path / "secret.mp4"), (2, Path("../../secret.mp4"))):
        (folder / f"{stem('gate', recording_key(NOON + timedelta(hours=hour)))}.mp4").symlink_to(
            target
        )
    (folder / "gate_20260101T150000.000Z.mp4").mkdir()
    os.mkfifo(folder / "gate_20260101T160000.000Z.mp4")
    (folder / "gate_20260101T170000.000Z.mp4.part").write_text("secret")
    (folder / "gate_20260101T170000.000Z.txt").write_text("secret")
    (folder / "notes.mp4").write_text("secret")
    (folder / "yard_20260101T180000.000Z.mp4").write_text("secret")
    (tmp_path / "segments" / "linked").symlink_to(outside / "gate")
    (outside / "gate" / "linked_20260101T170000.000Z.mp4").write_text("secret")
    return path.name


@pytest.mark.parametrize(
    "path",
    [
        "segments/gate/gate_20260101T130000.000Z.mp4",  # a link
        "segments/gate/gate_20260101T140000.000Z.mp4",
        "segments/linked/linked_20260101T170000.000Z.mp4",  # in a folder that is one
        "segments/gate/gate_20260101T150000.000Z.mp4",  # a folder
        "segments/gate/gate_20260101T160000.000Z.mp4",  # a pipe
        "segments/gate/gate_20260101T170000.000Z.mp4.part",
        "segments/gate/gate_20260101T170000.000Z.txt",
        "segments/gate/notes.mp4",
        "segments/gate/yard_20260101T180000.000Z.mp4",  # of another camera
        "segments/gate/yard_20260101T120000.000Z.mp4",
        "segments/yard/gate_20260101T120000.000Z.mp4",
        "segments/gate/..%2Fyard%2Fyard_20260101T120000.000Z.mp4",
        "segments/gate/%2e%2e%2f%2e%2e%2fsecret.mp4",
        "segments/../secret.mp4",
        "segments/..%2Foutside%2Fgate/gate_20260101T170000.000Z.mp4",
        "segments/gate%2F..%2Fgate/gate_20260101T120000.000Z.mp4",
        "segments/%2e%2e/gate_20260101T120000.000Z.mp4",
        "segments/./gate_20260101T120000.000Z.mp4",
        "segments/gate/gate_20260101T120000.000Z.mp4%00",
        "segments/gate%00/gate_20260101T120000.000Z.mp4",
        "segments/gate/gate_20260101T120000.000Z.mp4%0a",
        "segments/gate/%5c..%5cgate_20260101T120000.000Z.mp4",
        "segments/gate/gate_20260101T190000.000Z.mp4",  # deleted
        "segments/gate/gate_20261301T120000.000Z.mp4",
        "segments/gate/.watchline.lock",
        "segments/gate/" + "x" * 5000,
        "annotated/gate/gate_20260101T120000.000Z.mp4",
    ],
)
def test_no_way_leads_out(client: httpx.Client, laid: str, path: str) -> None:
    assert client.get(f"/api/recordings/segments/gate/{laid}").content == VIDEO
    url = client.base_url.copy_with(raw_path=f"/api/recordings/{path}".encode())
    reply = client.get(url)
    assert reply.status_code == 404 and "secret" not in reply.text
    assert client.get(f"/api/recordings/clips/gate/{laid}").status_code == 422


def test_odd_things_are_not_listed(client: httpx.Client, laid: str) -> None:
    assert listed(client) == ["yard_20260101T120000.000Z.mp4", laid]
    assert listed(client, "camera=linked") == []


@pytest.mark.parametrize(
    "query",
    ["before=x", "before=segments/gate/../x", "before=clips/gate/gate_20260101T120000.000Z.jpg",
     "before=other/gate/gate_20260101T120000.000Z.mp4", "before=" + "x" * 300, "kind=clips",
     "camera=..", "limit=0", "since=yesterday"],
)  # fmt: skip
def test_wrong_parameters_are_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/api/recordings?{query}").status_code == 422


def test_a_file_that_is_deleted_while_it_is_sent_is_sent(
    client: httpx.Client, tmp_path: Path
) -> None:
    path = video(tmp_path / "segments")
    content = os.urandom(32 * 2**20)
    path.write_bytes(content)
    with client.stream("GET", f"/api/recordings/segments/gate/{path.name}") as reply:
        path.unlink()
        assert reply.read() == content
    assert listed(client) == []
    assert client.get(f"/api/recordings/segments/gate/{path.name}").status_code == 404


def test_a_file_that_was_opened_is_the_one_that_is_sent(tmp_path: Path) -> None:
    path = video(tmp_path / "segments")
    (tmp_path / "secret").write_bytes(bytes(len(VIDEO)))
    recordings = Recordings({"segments": tmp_path / "segments"})
    reply = recorded_file(recordings, "segments", "gate", path.name, {".mp4"}, download=False)
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    sent = list[Message]()

    async def receive() -> Message:
        raise AssertionError("nothing is asked")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}
    asyncio.run(reply(scope, receive, send))
    assert b"".join(message.get("body", b"") for message in sent) == VIDEO


def told_of(path: Path, **more: object) -> None:
    """What a clip tells of itself."""
    event = {"event": "zone_entered", "wall_time": "2026-01-01T12:00:01.000Z", "zone": "yard"}
    records = [{**event, "object": {"label": "person", "id": "x"}, **more}]
    path.with_suffix(".json").write_text(json.dumps({"source": "gate", "events": records}))


def test_clips_tell_their_events(client: httpx.Client, tmp_path: Path) -> None:
    path = video(tmp_path / "clips")
    told_of(path)
    path.with_suffix(".jpg").write_bytes(b"jpeg")
    video(tmp_path / "clips", "yard", 1)
    later, first = client.get("/api/clips").json()["clips"]
    assert (later["events"], later["picture_url"]) == ([], None)
    assert first == {
        "camera": "gate",
        "name": path.name,
        "begun": "2026-01-01T12:00:00.000Z",
        "bytes": len(VIDEO),
        "url": f"/api/clips/gate/{path.name}",
        "picture_url": f"/api/clips/gate/{path.stem}.jpg",
        "events": [
            {
                "event": "zone_entered",
                "label": "person",
                "zone": "yard",
                "line": None,
                "wall_time": "2026-01-01T12:00:01.000Z",
            }
        ],
    }
    assert client.get(first["picture_url"]).headers["content-type"] == "image/jpeg"
    assert client.get(f"/api/clips/gate/{path.stem}.json").json()["source"] == "gate"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"events": 3}', b'{"events": [1, null, {"event": 5}]}',
     b"\xff\xfe", b"[" * 100_000, b'{"events": [{"event": "\\ud800", "wall_time": "x"}]}',
     b'{"events": [{"event": "a", "wall_time": "\\u0000"}]}'],
)  # fmt: skip
def test_a_damaged_description_breaks_no_list(
    client: httpx.Client, tmp_path: Path, content: bytes
) -> None:
    path = video(tmp_path / "clips")
    path.with_suffix(".json").write_bytes(content)
    (clip,) = client.get("/api/clips").json()["clips"]
    assert clip["events"] == []


def test_a_description_that_is_a_link_is_not_read(client: httpx.Client, tmp_path: Path) -> None:
    path, other = video(tmp_path / "clips"), tmp_path / "other.mp4"
    told_of(other)
    path.with_suffix(".json").symlink_to(other.with_suffix(".json"))
    (clip,) = client.get("/api/clips").json()["clips"]
    assert clip["events"] == []


def test_a_description_that_is_written_anew_is_read_anew(
    client: httpx.Client, tmp_path: Path
) -> None:
    path = video(tmp_path / "clips")
    for zone in ("yard", "the street"):
        told_of(path, zone=zone)
        (clip,) = client.get("/api/clips").json()["clips"]
        assert clip["events"][0]["zone"] == zone
