import { ownUrl } from "./api.js";
import { h } from "./dom.js";
import { openEvent } from "./event_dialog.js";
import { eventDetail, eventSign, eventTitle } from "./event_text.js";
import { clock, fullTime } from "./format.js";
import { icon } from "./icons.js";

/** @typedef {import("./types.js").WatchEvent} WatchEvent */

/** A list of events, newest first, that never grows past a bound. */
export class EventList {
  element = h("ol", { class: "events" });
  /** @type {WatchEvent[]} */
  #events = [];
  #most;
  #namesCamera;

  /**
   * @param {number} most rows
   * @param {boolean} namesCamera whether rows tell of which camera they are
   */
  constructor(most, namesCamera = true) {
    this.#most = most;
    this.#namesCamera = namesCamera;
  }

  /** The cursor of the oldest; null while there is none. */
  get oldest() {
    return this.#events.at(-1)?.cursor ?? null;
  }

  /** The same of the newest. */
  get newest() {
    return this.#events[0]?.cursor ?? null;
  }

  get length() {
    return this.#events.length;
  }

  /** Empty it. */
  clear() {
    this.#events = [];
    this.element.replaceChildren();
  }

  /**
   * Take in events that may be known already, in any order; the oldest make room.
   * @param {WatchEvent[]} events
   * @returns {boolean} whether some had to go
   */
  addNewer(events) {
    for (const event of events) this.#insert(event);
    return this.#trim(() => this.#events.pop() && this.element.lastElementChild?.remove());
  }

  /**
   * Take in a page of older events; the newest make room.
   * @param {WatchEvent[]} events
   * @returns {boolean} whether some had to go
   */
  addOlder(events) {
    for (const event of events) this.#insert(event);
    return this.#trim(() => this.#events.shift() && this.element.firstElementChild?.remove());
  }

  /** @param {WatchEvent} event */
  #insert(event) {
    const place = this.#events.findIndex(({ cursor }) => cursor <= event.cursor);
    if (this.#events[place]?.cursor === event.cursor) return;
    const row = eventRow(event, this.#namesCamera);
    if (place < 0) {
      this.#events.push(event);
      this.element.append(row);
    } else {
      this.#events.splice(place, 0, event);
      this.element.children[place].before(row);
    }
  }

  /** @param {() => void} giveUp */
  #trim(giveUp) {
    const trimmed = this.#events.length > this.#most;
    while (this.#events.length > this.#most) giveUp();
    return trimmed;
  }
}

/**
 * @param {WatchEvent} event
 * @param {boolean} namesCamera
 */
function eventRow(event, namesCamera) {
  const { icon: sign, tone } = eventSign(event);
  const detail = eventDetail(event);
  const what = h(
    "span",
    { class: "event-what" },
    h("strong", {}, eventTitle(event)),
    detail && h("span", { class: "event-detail" }, detail),
  );
  const time = { datetime: event.wall_time, title: fullTime(event.wall_time) };
  const when = h(
    "span",
    { class: "event-when" },
    namesCamera && h("span", { class: "event-camera" }, event.source),
    h("time", time, clock(event.wall_time)),
  );
  const button = h(
    "button",
    { class: "event-row", type: "button", on: { click: () => openEvent(event) } },
    h("span", { class: "event-thumb", data: { tone } }, icon(sign), snapshot(event)),
    what,
    when,
  );
  return h(
    "li",
    { testid: "event", data: { kind: event.event, camera: event.source, cursor: event.cursor } },
    button,
  );
}

/** @param {WatchEvent} event */
function snapshot(event) {
  const src = ownUrl(event.snapshot_url);
  if (!src) return null;
  const image = h("img", { src, alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.remove()); // it may be gone by now
  return image;
}
