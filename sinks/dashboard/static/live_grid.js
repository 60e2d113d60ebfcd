import { cameraCard } from "./camera_card.js";
import { addCamera } from "./camera_dialog.js";
import { h, replace, setText } from "./dom.js";
import { icon } from "./icons.js";
import { delivers } from "./states.js";

/** @typedef {import("./types.js").Camera} Camera */
/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").View} View */

/**
 * All cameras at once.
 * @param {Context} context
 * @returns {View}
 */
export function liveGrid(context) {
  /** @type {Map<string, ReturnType<typeof cameraCard>>} */
  const cards = new Map();
  const summary = h("p", { class: "view-summary" });
  const grid = h("div", { class: "grid" });
  const empty = emptyGrid(context);
  const element = h(
    "section",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", { tabindex: -1 }, "Live"), summary, adder(context)),
    empty,
    grid,
  );

  /** @param {Camera[] | null} cameras */
  const update = (cameras) => {
    if (!cameras) return;
    empty.hidden = cameras.length > 0;
    setText(summary, summaryOf(cameras));
    forget(cards, cameras);
    for (const camera of cameras) {
      const card = cards.get(camera.id) ?? cameraCard(context, camera.id);
      cards.set(camera.id, card);
      card.update(camera);
    }
    arrange(grid, cameras.map(({ id }) => /** @type {HTMLElement} */ (cards.get(id)?.element)));
  };
  const unwatch = context.cameras.list.watch(update);
  return {
    element,
    close() {
      unwatch();
      for (const card of cards.values()) card.close();
    },
  };
}

/** @param {Context} context */
function adder(context) {
  const click = () => addCamera(context);
  return h(
    "button",
    { class: "primary", type: "button", testid: "add-camera", on: { click } },
    icon("add"),
    "Add camera",
  );
}

/** @param {Context} context */
function emptyGrid(context) {
  return h(
    "div",
    { class: "empty", hidden: true },
    icon("camera"),
    h("h2", {}, "No cameras yet"),
    h("p", {}, "Add a camera by its address, or name it in the configuration."),
    h(
      "button",
      { class: "primary", type: "button", on: { click: () => addCamera(context) } },
      icon("add"),
      "Add a camera",
    ),
  );
}

/** @param {Camera[]} cameras */
function summaryOf(cameras) {
  const well = cameras.filter(delivers).length;
  return cameras.length ? `${well} of ${cameras.length} deliver pictures` : "";
}

/**
 * @param {Map<string, ReturnType<typeof cameraCard>>} cards
 * @param {Camera[]} cameras
 */
function forget(cards, cameras) {
  for (const [id, card] of cards) {
    if (cameras.some((camera) => camera.id === id)) continue;
    card.close();
    card.element.remove();
    cards.delete(id);
  }
}

/**
 * Put cards in their order, and move none that is in its place: it would lose the focus.
 * @param {HTMLElement} grid
 * @param {HTMLElement[]} elements
 */
function arrange(grid, elements) {
  const columns = Math.ceil(Math.sqrt(elements.length));
  grid.style.setProperty("--columns", String(columns));
  if (elements.every((element, place) => grid.children[place] === element)) return;
  replace(grid, elements);
}
