import { cameraActions } from "./camera_actions.js";
import { cameraPicture } from "./camera_picture.js";
import { h, setText } from "./dom.js";
import { count, decimal, milliseconds } from "./format.js";
import { delivers, overloadBadge, since, stateBadge } from "./states.js";

/** @typedef {import("./types.js").Camera} Camera */
/** @typedef {import("./types.js").Context} Context */

const FPS = 10;

/**
 * A camera in the grid: its picture, its state and how it does.
 * @param {Context} context
 * @param {string} id
 */
export function cameraCard(context, id) {
  const address = `#/live/${encodeURIComponent(id)}`;
  const state = stateBadge();
  const overload = overloadBadge();
  const picture = cameraPicture(context, id, FPS);
  const actions = cameraActions(context, id, false);
  const measures = h("p", { class: "measures" });
  const element = h(
    "article",
    { class: "card", testid: "camera-card", data: { camera: id }, "aria-label": id },
    h(
      "header",
      { class: "card-head" },
      h("h2", {}, h("a", { href: address }, id)),
      overload.element,
      state.element,
    ),
    h("a", { class: "card-picture", href: address, tabindex: -1 }, picture.element),
    h("footer", { class: "card-foot" }, measures, actions.element),
  );
  return {
    element,
    /** @param {Camera} camera */
    update(camera) {
      for (const part of [state, overload, picture, actions]) part.update(camera);
      setText(measures, delivers(camera) ? measuresOf(camera) : since(camera));
    },
    close: picture.close,
  };
}

/** @param {Camera} camera */
function measuresOf(camera) {
  const parts = [`${decimal(camera.fps)} fps`, `${decimal(camera.detect_fps)} detections/s`];
  if (camera.latency_s) parts.push(milliseconds(camera.latency_s.p50));
  const lost = lostFrames(camera);
  if (lost) parts.push(`${count(lost)} lost`);
  return parts.join(" · ");
}

/**
 * Frames that nobody wanted to lose; others go by the detector as the settings have it.
 * @param {Camera} camera
 * @returns {number}
 */
export function lostFrames(camera) {
  return Object.entries(camera.dropped)
    .filter(([reason]) => !reason.startsWith("schedule/"))
    .reduce((sum, [, frames]) => sum + frames, 0);
}
