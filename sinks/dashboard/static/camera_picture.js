import { h } from "./dom.js";
import { Overlay } from "./overlay.js";
import { stateVeil } from "./states.js";

/** @typedef {import("./types.js").Camera} Camera */
/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").Header} Header */

/** The picture of a camera that has never sent one. */
const UNKNOWN = { width: 1280, height: 720 };

/**
 * What lies over a picture: zones and lines, drawn or edited.
 * @typedef {object} Layer
 * @property {SVGSVGElement} element
 * @property {(rules: import("./types.js").Rules | null) => void} [setRules]
 * @property {(width: number, height: number) => void} resize told the size of the frames, pixels
 * @property {(header: Header) => void} show
 * @property {() => void} close
 */

/**
 * The live picture of a camera with its zones and lines, or why there is none.
 * @param {Context} context
 * @param {string} id
 * @param {number} fps
 * @param {(header: Header) => void} [shown] called with each picture
 * @param {Layer} [layer]
 */
export function cameraPicture(context, id, fps, shown = () => {}, layer = new Overlay(id)) {
  const canvas = h("canvas", {
    class: "picture-canvas",
    testid: "camera-picture",
    role: "img",
    "aria-label": `Live picture of ${id}`,
    width: UNKNOWN.width,
    height: UNKNOWN.height,
  });
  const veil = stateVeil();
  const element = h("div", { class: "picture" }, canvas, layer.element, veil.element);
  const resize = (/** @type {number} */ width, /** @type {number} */ height) => {
    layer.resize(width, height);
    element.style.setProperty("--aspect", `${width} / ${height}`);
  };
  const update = (/** @type {Camera} */ camera) => {
    veil.update(camera);
    if (camera.width && camera.height) resize(camera.width, camera.height);
  };
  const hide = context.pictures.show(canvas, id, fps, (header) => {
    resize(header.frame_width, header.frame_height);
    context.rules.noticed(header);
    layer.show(header);
    shown(header);
  });
  const unwatch = context.rules.current.watch((rules) => layer.setRules?.(rules));
  resize(UNKNOWN.width, UNKNOWN.height);
  const known = context.cameras.find(id);
  if (known) update(known); // at once, or all moves a moment later
  return {
    element,
    update,
    close() {
      hide();
      unwatch();
      layer.close();
    },
  };
}
