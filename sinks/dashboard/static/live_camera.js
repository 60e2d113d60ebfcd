import { cameraActions } from "./camera_actions.js";
import { lostFrames } from "./camera_card.js";
import { cameraPicture } from "./camera_picture.js";
import { h, replace, setText } from "./dom.js";
import { count, decimal, fullTime, milliseconds } from "./format.js";
import { icon } from "./icons.js";
import { latestEvents } from "./latest_events.js";
import { overloadBadge, since, stateBadge } from "./states.js";

/** @typedef {import("./types.js").Camera} Camera */
/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").View} View */

const FPS = 25;

/** Words for the reasons of drops that people meet. */
const DROPS = /** @type {Record<string, string>} */ ({
  "schedule/rate": "Not looked at: more than the detections asked for",
  "schedule/still": "Not looked at: nothing moved",
  "schedule/busy": "Not looked at: the detector was busy",
  "decode/corrupt": "Could not be decoded",
  "decode/no_keyframe": "Came before the first keyframe",
  "decode/late": "Waited too long to be decoded",
  "queue/overflow": "Found no room before the detector",
});

/**
 * One camera, large, with all that is known of it.
 * @param {Context} context
 * @param {string} id
 * @returns {View}
 */
export function liveCamera(context, id) {
  const state = stateBadge();
  const overload = overloadBadge();
  const time = h("span", { class: "picture-time" });
  const picture = cameraPicture(context, id, FPS, ({ wall_time }) => {
    setText(time, fullTime(wall_time));
  });
  const actions = cameraActions(context, id, true);
  const facts = h("dl", { class: "facts" });
  const drops = h("dl", { class: "facts" });
  const latest = latestEvents(id);
  const unknown = h("p", { class: "empty", hidden: true }, `There is no camera ${id}.`);
  const bar = pictureBar(id, picture.element, time);
  const stage = h("div", { class: "stage" }, picture.element, bar);
  const body = h(
    "div",
    { class: "camera-layout" },
    h("div", { class: "camera-main" }, stage, actions.element),
    h(
      "aside",
      { class: "camera-side", "aria-label": `About ${id}` },
      h("section", { class: "panel" }, h("h2", {}, "State"), facts),
      latest.element,
      h("section", { class: "panel" }, h("h2", {}, "Frames"), drops),
    ),
  );
  const element = h(
    "section",
    { class: "view", testid: "camera-card", data: { camera: id } },
    h(
      "div",
      { class: "view-head" },
      h("a", { class: "icon-button", href: "#/live", "aria-label": "All cameras" }, icon("back")),
      h("h1", { tabindex: -1 }, id),
      state.element,
      overload.element,
    ),
    unknown,
    body,
  );
  const unwatch = context.cameras.list.watch((cameras) => {
    const camera = context.cameras.find(id);
    unknown.hidden = !cameras || camera !== undefined;
    body.hidden = !camera;
    if (!camera) return;
    for (const part of [state, overload, picture, actions]) part.update(camera);
    updateTerms(facts, factsOf(camera));
    updateTerms(drops, framesOf(camera));
  });
  return {
    element,
    close() {
      unwatch();
      picture.close();
      latest.close();
    },
  };
}

/**
 * @param {string} id
 * @param {HTMLElement} picture
 * @param {HTMLElement} time
 */
function pictureBar(id, picture, time) {
  const whole = h(
    "button",
    {
      class: "icon-button",
      type: "button",
      "aria-label": "Full screen",
      on: { click: () => picture.requestFullscreen?.().catch(() => {}) },
    },
    icon("fullscreen"),
  );
  const still = h(
    "a",
    {
      class: "icon-button",
      href: `/api/cameras/${encodeURIComponent(id)}/picture.jpg?width=3840`,
      download: `${id}.jpg`,
      "aria-label": "Save this picture",
    },
    icon("download"),
  );
  return h("div", { class: "picture-bar" }, time, still, whole);
}

/**
 * @param {Camera} camera
 * @returns {[string, string][]}
 */
function factsOf(camera) {
  /** @type {[string, string][]} */
  const facts = [["State", since(camera)]];
  if (camera.reason) facts.push(["Why", camera.reason]);
  facts.push(["Address", camera.address]);
  if (camera.width && camera.height) facts.push(["Size", `${camera.width} × ${camera.height}`]);
  facts.push(["Frames", `${decimal(camera.fps)} a second`]);
  facts.push(["Detections", `${decimal(camera.detect_fps)} a second`]);
  if (camera.latency_s) {
    const { p50, p95 } = camera.latency_s;
    facts.push(["Latency", `${milliseconds(p50)}, 95 % below ${milliseconds(p95)}`]);
  }
  if (camera.live) facts.push(["Outages", count(camera.outages)]);
  return facts;
}

/**
 * @param {Camera} camera
 * @returns {[string, string][]}
 */
function framesOf(camera) {
  const drops = Object.entries(camera.dropped).filter(([, frames]) => frames > 0);
  return [
    ["Captured", count(camera.captured)],
    ["Looked at", count(camera.inferred)],
    ["Lost", count(lostFrames(camera))],
    ...drops.map(([reason, frames]) => /** @type {[string, string]} */ ([
      DROPS[reason] ?? reason,
      count(frames),
    ])),
  ];
}

/**
 * @param {HTMLElement} list
 * @param {[string, string][]} terms
 */
function updateTerms(list, terms) {
  const names = terms.map(([name]) => name).join("\n");
  if (list.dataset.names !== names) {
    list.dataset.names = names;
    replace(list, terms.map(([name]) => h("div", {}, h("dt", {}, name), h("dd"))));
  }
  const values = list.querySelectorAll("dd");
  terms.forEach(([, value], place) => setText(values[place], value));
}
