"""The page in a real browser, before real runs: cameras, pictures, events, rules, access."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import yaml
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.conftest import OpenPage, Serve
from tests.servers.rtsp import RtspServer

OFFLINE_S = 6.0
"""A lost camera is shown as such within this time."""
SLOW_MS = 60_000
"""Nothing takes so long; only a test that fails waits for it."""
PASSWORD = "correct horse battery"


def card(page: Page, camera: str) -> Locator:
    """The part of the page that shows a camera."""
    return page.locator(f"[data-testid=camera-card][data-camera={camera}]")


def expect_state(page: Page, camera: str, state: str) -> None:
    badge = card(page, camera).locator(f"[data-testid=camera-state][data-state={state}]")
    expect(badge).to_be_visible(timeout=SLOW_MS)


def expect_moving(page: Page, camera: str) -> None:
    """Wait until the picture of a camera has shown something, and then something else."""
    selector = f"[data-testid=camera-card][data-camera={camera}] canvas[data-testid=camera-picture]"
    page.wait_for_function(
        """(selector) => {
            const canvas = document.querySelector(selector);
            if (!canvas || !canvas.width) return false;
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let sum = 0, dark = true;
            for (let i = 0; i < data.length; i += 4) {
                sum = (sum * 31 + data[i] + data[i + 1] + data[i + 2]) % 1000003;
                dark &&= data[i] + data[i + 1] + data[i + 2] < 48;
            }
            const seen = (window.seenPictures ??= {});
            const known = (seen[selector] ??= new Set());
            if (!dark) known.add(sum);
            return known.size >= 3;
        }""",
        arg=selector,
        timeout=SLOW_MS,
        polling=100,
    )


def write_config(path: Path, **settings: object) -> Path:
    path.write_text(yaml.safe_dump(settings))
    return path


def test_two_cameras_move_and_an_event_comes_with_its_picture(
    serve: Serve, street: RtspServer, open_page: OpenPage, tmp_path: Path
) -> None:
    sources = [{"source": street.url(), "id": "street"}, {"source": "test://ball", "id": "ball"}]
    config = write_config(tmp_path / "two.yaml", sources=sources)
    page = open_page(serve("--config", config).url)
    for camera in ("street", "ball"):
        expect_state(page, "street", "online")
        expect_moving(page, camera)
    page.get_by_test_id("tab-events").click()
    event = page.locator("[data-testid=event][data-kind=object_new]").first
    expect(event).to_be_visible(timeout=SLOW_MS)
    expect(event).to_contain_text("person")
    page.wait_for_function(
        """() => [...document.querySelectorAll("[data-testid=event] img")]
            .some((picture) => picture.naturalWidth > 0)""",
        timeout=SLOW_MS,
    )


def test_a_zone_drawn_with_the_mouse_is_saved_and_makes_events(
    serve: Serve, street: RtspServer, open_page: OpenPage, tmp_path: Path
) -> None:
    config = tmp_path / "zones.yaml"
    config.write_text(f"# our street\nsources:\n  - source: {street.url()}\n    id: street\n")
    run = serve("--config", config)
    page = open_page(run.url)
    expect_moving(page, "street")
    page.get_by_test_id("edit-rules").click()
    expect(page.locator("canvas[data-index]")).to_be_visible(timeout=SLOW_MS)
    page.get_by_test_id("new-zone").click()
    editor = page.get_by_test_id("editor")
    box = editor.bounding_box()
    assert box is not None
    for x, y in ((0.05, 0.3), (0.95, 0.3), (0.95, 0.97), (0.05, 0.97)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.keyboard.press("Enter")
    page.get_by_test_id("zone-name").fill("pavement")
    page.get_by_test_id("save-rules").click()
    run.until(lambda: bool(run.get("/api/rules")["zones"]))
    run.until(lambda: bool(run.get("/api/events", kind="zone_entered")["events"]))
    (event, *_) = run.get("/api/events", kind="zone_entered")["events"]
    assert (event["zone"], event["source"]) == ("pavement", "street")
    page.get_by_test_id("tab-events").click()
    shown = page.locator("[data-testid=event][data-kind=zone_entered]").first
    expect(shown).to_contain_text("pavement", timeout=SLOW_MS)
    saved = config.read_text()
    assert saved.startswith("# our street\n")
    (zone,) = yaml.safe_load(saved)["zones"]
    assert zone["name"] == "pavement"
    drawn = [[0.05, 0.3], [0.95, 0.3], [0.95, 0.97], [0.05, 0.97]]
    for (x, y), (drawn_x, drawn_y) in zip(zone["polygon"], drawn, strict=True):
        assert abs(x - drawn_x) < 0.02 and abs(y - drawn_y) < 0.02


def test_a_clip_of_an_event_is_played(
    serve: Serve, street: RtspServer, open_page: OpenPage, tmp_path: Path
) -> None:
    config = write_config(
        tmp_path / "clips.yaml",
        sources=[{"source": street.url(), "id": "street"}],
        clips={"folder": str(tmp_path / "clips"), "before_s": 1, "after_s": 1, "max_s": 4},
    )
    run = serve("--config", config)
    page = open_page(run.url)
    run.until(lambda: bool(run.get("/api/clips")["clips"]))
    page.get_by_test_id("tab-recordings").click()
    page.get_by_test_id("recording").first.click()
    player = page.locator("[data-testid=player] video, video[data-testid=player]")
    expect(player).to_have_js_property("paused", False, timeout=SLOW_MS)
    expect(player).not_to_have_js_property("currentTime", 0, timeout=SLOW_MS)
    assert player.evaluate("video => [video.videoWidth, video.videoHeight]") == [640, 272]


def test_a_camera_is_added_paused_resumed_and_removed(serve: Serve, open_page: OpenPage) -> None:
    page = open_page(serve().url)
    page.get_by_test_id("add-camera").first.click()
    form = page.get_by_test_id("camera-form")
    form.locator("[name=source]").fill("test://ball?size=320x180")
    form.locator("[name=id]").fill("yard")
    page.get_by_test_id("save-camera").click()
    expect_state(page, "yard", "online")
    expect_moving(page, "yard")
    yard = card(page, "yard")
    yard.get_by_test_id("pause-camera").click()
    expect_state(page, "yard", "paused")
    yard.get_by_test_id("pause-camera").click()
    expect_state(page, "yard", "online")
    yard.get_by_test_id("remove-camera").click()
    page.get_by_test_id("confirm").click()
    expect(yard).to_have_count(0, timeout=SLOW_MS)


def test_what_is_wrong_with_a_camera_is_said_in_the_form(serve: Serve, open_page: OpenPage) -> None:
    page = open_page(serve().url)
    page.get_by_test_id("add-camera").first.click()
    page.get_by_test_id("camera-form").locator("[name=source]").fill("/etc/passwd")
    page.get_by_test_id("save-camera").click()
    expect(page.get_by_test_id("form-error")).not_to_be_empty(timeout=SLOW_MS)
    assert page.get_by_test_id("camera-form").is_visible()


def test_a_lost_camera_is_shown_as_such_within_6_s(
    serve: Serve, street: RtspServer, open_page: OpenPage, tmp_path: Path
) -> None:
    sources = [{"source": street.url(), "id": "street"}, {"source": "test://bars", "id": "bars"}]
    page = open_page(serve("--config", write_config(tmp_path / "two.yaml", sources=sources)).url)
    expect_state(page, "street", "online")
    lost_s = time.monotonic()
    street.stop()
    expect_state(page, "street", "offline")
    assert time.monotonic() - lost_s <= OFFLINE_S
    expect_state(page, "bars", "online")
    street.start()
    expect_state(page, "street", "online")


def test_nobody_gets_in_with_a_wrong_password(serve: Serve, open_page: OpenPage) -> None:
    run = serve("test://bars", environment={"WATCHLINE__DASHBOARD__PASSWORD": PASSWORD})
    page = open_page(run.url)
    page.get_by_test_id("password").fill("wrong password")
    page.get_by_test_id("password").press("Enter")
    expect(page.get_by_test_id("login-error")).not_to_be_empty(timeout=SLOW_MS)
    expect(page.get_by_test_id("camera-card")).to_have_count(0)
    page.get_by_test_id("password").fill(PASSWORD)
    page.get_by_test_id("password").press("Enter")
    expect_moving(page, "bars")
    page.get_by_test_id("logout").click()
    expect(page.get_by_test_id("password")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_test_id("camera-card")).to_have_count(0)


def test_the_page_fits_a_phone(serve: Serve, open_page: OpenPage) -> None:
    page = open_page(serve("test://bars", "test://ball").url, width=360, height=740)
    expect_moving(page, "ball")
    for tab in ("live", "events", "recordings", "charts"):
        page.get_by_test_id(f"tab-{tab}").click()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, f"{tab}: {width}"


def test_the_page_is_usable_by_keyboard(serve: Serve, open_page: OpenPage) -> None:
    page = open_page(serve("test://bars").url)
    expect_moving(page, "bars")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement?.dataset.testid ?? ''"))
    assert {"tab-live", "tab-events", "tab-recordings", "tab-charts", "add-camera"} <= set(reached)


def test_the_summary_accounts_for_every_frame(serve: Serve, open_page: OpenPage) -> None:
    run = serve("test://ball?size=320x180", "--quiet")
    expect_moving(open_page(run.url), "ball")
    assert run.end(signal.SIGINT) == 130
    summary = json.loads(run.printed.splitlines()[-1])
    assert summary["captured"] == summary["inferred"] + sum(summary["dropped"].values())
