import { h, replace } from "./dom.js";
import { icon } from "./icons.js";

const STAYS_MS = 8000;

const place = h("div", { class: "notices", role: "status", "aria-live": "polite" });

/**
 * Where notices appear; screen readers hear only of what is in the page before its text comes.
 * @returns {HTMLElement}
 */
export function noticePlace() {
  return place;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * Tell something for a short while.
 * @param {string} text
 * @param {"info" | "failed"} [kind]
 */
export function tell(text, kind = "info") {
  replace(place, h("p", { class: "notice", data: { kind } }, icon(kind), text));
  clearTimeout(timer);
  timer = setTimeout(() => replace(place), STAYS_MS);
}
