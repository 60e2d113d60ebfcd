import { duration } from "./format.js";

/** @typedef {import("./types.js").WatchEvent} WatchEvent */
/** @typedef {import("./icons.js").IconName} IconName */

/** @typedef {{title: string, detail: string, icon: IconName, tone: string}} EventText */

/** What kinds of events there are, in words. */
export const KINDS = /** @type {Record<string, string>} */ ({
  object_new: "Object appeared",
  object_update: "Object changed",
  object_end: "Object gone",
  zone_entered: "Entered a zone",
  zone_left: "Left a zone",
  zone_loitering: "Loitering",
  zone_crowded: "Zone crowded",
  zone_cleared: "No longer crowded",
  line_crossed: "Crossed a line",
  camera_online: "Camera online",
  camera_offline: "Camera offline",
});

/** What happens to an object all the time, and few want to read of. */
export const NOISE = "object_update";

const CHANGES = /** @type {Record<string, string>} */ ({
  zones: "entered or left zones",
  score: "is seen better",
  moved: "has moved far",
  stationary: "has come to rest",
  active: "moves again",
  time: "is still there",
});

/**
 * An event in words for people.
 * @param {WatchEvent} event
 * @returns {EventText}
 */
export function eventText(event) {
  const words = TEXTS[event.event];
  return words
    ? words(event, event.object?.label ?? "object")
    : { title: event.event, detail: "", icon: "info", tone: "calm" };
}

/** @type {Record<string, (event: WatchEvent, label: string) => EventText>} */
const TEXTS = {
  object_new: ({ object }, label) =>
    text(`${label} appeared`, `score ${percent(object.best_score)}`, "person"),
  object_update: ({ reason, object }, label) =>
    text(`${label} ${CHANGES[reason ?? ""] ?? "changed"}`, there(object), "person"),
  object_end: ({ reason, object }, label) =>
    text(
      reason === "source_ended" ? `${label} was there at the end` : `${label} is gone`,
      there(object),
      "person",
    ),
  zone_entered: ({ zone, occupancy }, label) =>
    text(`${label} entered ${zone}`, `${occupancy} there now`, "enter"),
  zone_left: ({ zone, dwell_s, occupancy }, label) =>
    text(`${label} left ${zone}`, `after ${seconds(dwell_s)}, ${occupancy} there now`, "leave"),
  zone_loitering: ({ zone, dwell_s }, label) =>
    text(`${label} loiters in ${zone}`, `for ${seconds(dwell_s)}`, "time", "warn"),
  zone_crowded: ({ zone, occupancy }) =>
    text(`${zone} is crowded`, `${occupancy} there`, "crowd", "warn"),
  zone_cleared: ({ zone, occupancy }) =>
    text(`${zone} is no longer crowded`, `${occupancy} there`, "crowd"),
  line_crossed: ({ line, direction, count_in: into, count_out: out }, label) =>
    text(`${label} crossed ${line}: ${direction}`, `${into} in, ${out} out so far`, "cross"),
  camera_online: ({ outage_s }) =>
    text(
      "Camera online",
      typeof outage_s === "number" ? `after ${duration(outage_s)} offline` : "",
      "online",
      "good",
    ),
  camera_offline: ({ reason }) => text("Camera offline", reason ?? "", "offline", "bad"),
};

/**
 * @param {string} title
 * @param {string} detail
 * @param {IconName} icon
 * @param {string} [tone]
 */
function text(title, detail, icon, tone = "calm") {
  return { title, detail, icon, tone };
}

/** @param {any} object */
function there(object) {
  return `there for ${duration(object.duration_s)}`;
}

/** @param {number | null | undefined} dwell_s */
function seconds(dwell_s) {
  return duration(dwell_s ?? 0);
}

/**
 * A score in words.
 * @param {number} score 0..1
 * @returns {string}
 */
export function percent(score) {
  return `${Math.round(score * 100)} %`;
}
