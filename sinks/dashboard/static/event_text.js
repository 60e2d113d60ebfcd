import { duration } from "./format.js";

/** @typedef {import("./types.js").WatchEvent} WatchEvent */
/** @typedef {import("./icons.js").IconName} IconName */

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {IconName} icon
 * @property {string} [tone]
 * @property {(label: string, place: string, event: Partial<WatchEvent>) => string} title
 * @property {(event: WatchEvent) => string} detail
 */

const KINDS = /** @type {Record<string, Kind>} */ ({
  object_new: {
    name: "Object appeared",
    icon: "person",
    title: (label) => `${label} appeared`,
    detail: ({ object }) => `score ${percent(object.best_score)}`,
  },
  object_update: {
    name: "Object changed",
    icon: "person",
    title: (label, _, { reason }) => `${label} ${CHANGES[reason ?? ""] ?? "changed"}`,
    detail: ({ object }) => `there for ${duration(object.duration_s)}`,
  },
  object_end: {
    name: "Object gone",
    icon: "person",
    title: (label, _, { reason }) =>
      reason === "source_ended" ? `${label} was there at the end` : `${label} is gone`,
    detail: ({ object }) => `there for ${duration(object.duration_s)}`,
  },
  zone_entered: {
    name: "Entered a zone",
    icon: "enter",
    title: (label, zone) => `${label} entered ${zone}`,
    detail: ({ occupancy }) => `${occupancy} there now`,
  },
  zone_left: {
    name: "Left a zone",
    icon: "leave",
    title: (label, zone) => `${label} left ${zone}`,
    detail: ({ dwell_s, occupancy }) => `after ${duration(dwell_s ?? 0)}, ${occupancy} there now`,
  },
  zone_loitering: {
    name: "Loitering",
    icon: "time",
    tone: "warn",
    title: (label, zone) => `${label} loiters in ${zone}`,
    detail: ({ dwell_s }) => `for ${duration(dwell_s ?? 0)}`,
  },
  zone_crowded: {
    name: "Zone crowded",
    icon: "crowd",
    tone: "warn",
    title: (_, zone) => `${zone} is crowded`,
    detail: ({ occupancy }) => `${occupancy} there`,
  },
  zone_cleared: {
    name: "Zone no longer crowded",
    icon: "crowd",
    title: (_, zone) => `${zone} is no longer crowded`,
    detail: ({ occupancy }) => `${occupancy} there`,
  },
  line_crossed: {
    name: "Crossed a line",
    icon: "cross",
    title: (label, line, { direction }) =>
      `${label} crossed ${line}${direction ? `: ${direction}` : ""}`,
    detail: ({ count_in: into, count_out: out }) => `${into} in, ${out} out so far`,
  },
  camera_online: {
    name: "Camera online",
    icon: "online",
    tone: "good",
    title: () => "Camera online",
    detail: ({ outage_s }) =>
      typeof outage_s === "number" ? `after ${duration(outage_s)} offline` : "",
  },
  camera_offline: {
    name: "Camera offline",
    icon: "offline",
    tone: "bad",
    title: () => "Camera offline",
    detail: ({ reason }) => reason ?? "",
  },
});

const CHANGES = /** @type {Record<string, string>} */ ({
  zones: "entered or left zones",
  score: "is seen better",
  moved: "has moved far",
  stationary: "has come to rest",
  active: "moves again",
  time: "is still there",
});

/** Kinds of events and their names. */
export const KIND_NAMES = Object.entries(KINDS).map(
  ([kind, { name }]) => /** @type {[string, string]} */ ([kind, name]),
);

/** The kinds that are shown where nobody asks for some: objects change all the time. */
export const USUAL_KINDS = Object.keys(KINDS).filter((kind) => kind !== "object_update");

/**
 * What kind of event it is.
 * @param {{event: string}} event
 * @returns {string}
 */
export function kindName({ event }) {
  return KINDS[event]?.name ?? event;
}

/**
 * The sign of an event; the title says the same in words.
 * @param {{event: string}} event
 * @returns {{icon: IconName, tone: string}}
 */
export function eventSign({ event }) {
  const { icon = "info", tone = "calm" } = KINDS[event] ?? {};
  return { icon, tone };
}

/**
 * What happened, in a few words.
 * @param {Partial<WatchEvent> & {event: string}} event
 * @param {string | null} [label] of its object, where the event has only that
 * @returns {string}
 */
export function eventTitle(event, label = event.object?.label) {
  const place = event.zone ?? event.line ?? "";
  return KINDS[event.event]?.title(label ?? "object", place, event) ?? event.event;
}

/**
 * What else there is to say of it.
 * @param {WatchEvent} event
 * @returns {string} may be empty
 */
export function eventDetail(event) {
  return KINDS[event.event]?.detail(event) ?? "";
}

/**
 * A score in words.
 * @param {number} score 0..1
 * @returns {string}
 */
export function percent(score) {
  return `${Math.round(score * 100)} %`;
}
