import { h, replace, setText } from "./dom.js";
import { ago, shortClock } from "./format.js";
import { icon } from "./icons.js";

const STATES = /** @type {const} */ ({
  connecting: { text: "Connecting", tone: "warn", icon: "connecting" },
  online: { text: "Online", tone: "good", icon: "online" },
  stalled: { text: "Stalled", tone: "warn", icon: "stalled" },
  offline: { text: "Offline", tone: "bad", icon: "offline" },
  reading: { text: "Reading", tone: "good", icon: "reading" },
  paused: { text: "Paused", tone: "calm", icon: "pause" },
  ended: { text: "Ended", tone: "calm", icon: "ended" },
  failed: { text: "Failed", tone: "bad", icon: "failed" },
});

/** @typedef {keyof typeof STATES} StateName */
/** @typedef {import("./types.js").Camera} Camera */

/**
 * Whether pictures come.
 * @param {Camera} camera
 * @returns {boolean}
 */
export function delivers(camera) {
  return camera.state === "online" || camera.state === "reading";
}

/**
 * A sign of the state of a camera, which tells it in words and by shape too.
 * @returns {{element: HTMLElement, update: (camera: Camera) => void}}
 */
export function stateBadge() {
  const element = h("span", { class: "badge", testid: "camera-state" });
  return {
    element,
    update(camera) {
      element.title = since(camera);
      if (element.dataset.state === camera.state) return;
      const state = STATES[camera.state];
      element.dataset.state = camera.state;
      element.dataset.tone = state.tone;
      replace(element, icon(state.icon), state.text);
    },
  };
}

/**
 * The sign of a machine that cannot infer what is asked for.
 * @returns {{element: HTMLElement, update: (camera: Camera) => void}}
 */
export function overloadBadge() {
  const element = h(
    "span",
    {
      class: "badge",
      data: { tone: "warn" },
      testid: "camera-overload",
      title: "The machine cannot look at as many frames of this camera as it is asked to",
    },
    icon("overload"),
    "Overload",
  );
  return {
    element,
    update(camera) {
      element.hidden = !camera.overload;
    },
  };
}

/**
 * What lies over the picture of a camera that sends none: its state, since when, and why.
 * @returns {{element: HTMLElement, update: (camera: Camera) => void}}
 */
export function stateVeil() {
  const sign = h("span", { class: "veil-icon" });
  const title = h("strong");
  const reason = h("span", { class: "veil-reason" });
  const element = h("div", { class: "veil", hidden: true }, sign, title, reason);
  let shown = "";
  return {
    element,
    update(camera) {
      element.hidden = delivers(camera);
      if (shown !== camera.state) replace(sign, icon(STATES[camera.state].icon));
      shown = camera.state;
      setText(title, since(camera));
      setText(reason, camera.reason ?? "");
    },
  };
}

/**
 * A state and since when it holds.
 * @param {Camera} camera
 * @returns {string} as "Offline since 10:02 (5 min)"
 */
export function since(camera) {
  const { text } = STATES[camera.state];
  if (!camera.since) return text;
  return `${text} since ${shortClock(camera.since)} (${ago(camera.since)})`;
}
