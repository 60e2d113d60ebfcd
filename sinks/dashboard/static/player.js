import { ownUrl } from "./api.js";
import { h, replace } from "./dom.js";
import { eventSign, eventTitle } from "./event_text.js";
import { bytes, clock, fullTime } from "./format.js";
import { icon } from "./icons.js";

/**
 * @typedef {object} Recording
 * @property {string} camera
 * @property {string} name
 * @property {string} begun
 * @property {number} bytes
 * @property {string} url
 * @property {string | null} [picture_url]
 * @property {string | null} [detections_url]
 * @property {Told[]} [events]
 */

/**
 * What a clip tells of an event.
 * @typedef {object} Told
 * @property {string} event
 * @property {string | null} label
 * @property {string | null} zone
 * @property {string | null} line
 * @property {string} wall_time
 */

/** Seconds that are shown before an event. */
const BEFORE_S = 1;

/** Plays what was recorded. */
export class Player {
  element = h(
    "div",
    { class: "player", testid: "player" },
    h("p", { class: "player-none" }, icon("recordings"), "Choose a recording to play"),
  );

  /**
   * Show a recording from its beginning.
   * @param {Recording} recording
   */
  play(recording) {
    this.close();
    const src = ownUrl(recording.url);
    if (!src) return;
    const video = h("video", { src, controls: true, playsinline: true, preload: "metadata" });
    video.setAttribute("aria-label", `${recording.camera}, ${fullTime(recording.begun)}`);
    const fault = h("p", { class: "form-error", role: "alert" });
    video.addEventListener("error", () => {
      replace(fault, "This browser cannot play it. Save it, and play it with another program.");
    });
    replace(
      this.element,
      video,
      fault,
      h(
        "div",
        { class: "player-head" },
        h("h2", {}, `${recording.camera}, ${clock(recording.begun)}`),
        h("span", { class: "hint" }, bytes(recording.bytes)),
        h(
          "a",
          { class: "button", href: `${src}?download=true`, download: recording.name },
          icon("download"),
          "Save",
        ),
        detections(recording),
      ),
      this.#events(recording, video),
    );
    video.play().catch(() => {}); // some browsers want a click into the video itself
  }

  /** Let go of the file. */
  close() {
    const video = this.element.querySelector("video");
    video?.removeAttribute("src");
    video?.load();
  }

  /**
   * @param {Recording} recording
   * @param {HTMLVideoElement} video
   */
  #events({ events = [], begun }, video) {
    const rows = events.map((event) => {
      const at_s = (Date.parse(event.wall_time) - Date.parse(begun)) / 1000;
      const click = () => {
        video.currentTime = Math.max(0, at_s - BEFORE_S);
        video.play().catch(() => {});
      };
      const time = h("time", { datetime: event.wall_time }, clock(event.wall_time));
      return h(
        "li",
        {},
        h(
          "button",
          { class: "rule-row", type: "button", on: { click } },
          icon(eventSign(event).icon),
          toldTitle(event),
          time,
        ),
      );
    });
    return rows.length > 0 && h("ol", { class: "rule-list", "aria-label": "Events" }, rows);
  }
}

/**
 * What happened, in a few words.
 * @param {Told} told
 * @returns {string}
 */
export function toldTitle({ event, label, zone, line }) {
  return eventTitle({ event, zone: zone ?? undefined, line: line ?? undefined }, label);
}

/** @param {Recording} recording */
function detections({ detections_url: url, name }) {
  const href = ownUrl(url);
  return href && h("a", { class: "button", href, download: `${name}.jsonl` }, "Detections");
}
