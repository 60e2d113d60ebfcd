import { ownUrl } from "./api.js";
import { openDialog } from "./dialog.js";
import { h, svg } from "./dom.js";
import { eventTitle, kindName, percent } from "./event_text.js";
import { dateValue, duration, fullTime } from "./format.js";

/** @typedef {import("./types.js").WatchEvent} WatchEvent */

/**
 * Show all that is known of an event.
 * @param {WatchEvent} event
 */
export function openEvent(event) {
  const camera = encodeURIComponent(event.source);
  const day = dateValue(new Date(event.wall_time));
  openDialog(
    eventTitle(event),
    h(
      "div",
      { class: "event-full" },
      h("div", { class: "event-pictures" }, snapshot(event), event.object && way(event.object)),
      h(
        "dl",
        { class: "facts" },
        facts(event).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
      ),
    ),
    h(
      "div",
      { class: "dialog-foot" },
      h("a", { class: "button", href: `#/recordings?camera=${camera}&day=${day}` }, "Recordings"),
      h("a", { class: "button", href: `#/live/${camera}` }, "Live picture"),
    ),
  );
}

/**
 * @param {WatchEvent} event
 * @returns {[string, string][]}
 */
function facts(event) {
  const { object } = event;
  /** @type {[string, string | null | undefined][]} */
  const all = [
    ["What", kindName(event)],
    ["Camera", event.source],
    ["When", fullTime(event.wall_time)],
    ["Zone", event.zone],
    ["Line", event.line && `${event.line}, ${event.direction}`],
    ["Why", event.reason],
    ["In the zone for", given(event.dwell_s, duration)],
    ["Then in the zone", given(event.occupancy, String)],
    ["Crossed so far", event.line && `${event.count_in} in, ${event.count_out} out`],
    ["Offline for", given(event.outage_s, duration)],
    ["Object", object?.label],
    ["Best score", given(object?.best_score, percent)],
    ["Seen for", given(object?.duration_s, duration)],
    ["Zones so far", object?.entered_zones?.join(", ")],
    ["Id", event.id],
  ];
  return /** @type {[string, string][]} */ (all.filter(([, value]) => value));
}

/**
 * @param {number | null | undefined} value
 * @param {(value: number) => string} words
 */
function given(value, words) {
  return value === null || value === undefined ? null : words(value);
}

/** @param {WatchEvent} event */
function snapshot(event) {
  const src = ownUrl(event.snapshot_url);
  if (!src) return null;
  const label = event.object?.label ?? "object";
  const image = h("img", { src, alt: `The best picture of this ${label}` });
  image.addEventListener("error", () => image.remove());
  return image;
}

/**
 * The way of an object through the picture.
 * @param {{path?: [number, number, string][], width: number, height: number}} object
 */
function way({ path = [], width, height }) {
  if (path.length < 2) return null;
  const points = path.map(([x, y]) => `${x * width},${y * height}`);
  const [x, y] = points[points.length - 1].split(",");
  return svg(
    "svg",
    { class: "way", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Its way" },
    svg("polyline", { points: points.join(" ") }),
    svg("circle", { cx: x, cy: y, r: width / 50 }),
  );
}
