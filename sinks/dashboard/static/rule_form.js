import { field } from "./camera_dialog.js";
import { h } from "./dom.js";
import { FilterMenu } from "./filter_menu.js";
import { icon } from "./icons.js";

/** @typedef {import("./rule_draft.js").Item} Item */

/** What the form asks for; the rest is told of. */
const ASKED = new Set(
  "name polygon points size sources classes loitering_s crowd".split(" "),
);

/**
 * The settings of a zone or line.
 * @param {Item} item changed as people type
 * @param {string} camera whose picture it is drawn in
 * @param {string[]} classNames
 * @param {{changed: () => void, turn: () => void, remove: () => void}} on
 * @returns {HTMLElement}
 */
export function ruleForm(item, camera, classNames, on) {
  const { kind } = item;
  const set = (/** @type {object} */ values) => {
    const rule = Object.entries({ ...item.rule, ...values });
    item.rule = /** @type {any} */ (Object.fromEntries(rule.filter(([, value]) => value !== null)));
    on.changed();
  };
  const remove = h(
    "button",
    { class: "danger", type: "button", testid: "delete-rule", on: { click: on.remove } },
    icon("remove"),
    `Delete ${kind}`,
  );
  const turn = h(
    "button",
    { type: "button", testid: "turn-line", on: { click: on.turn } },
    icon("swap"),
    "Swap in and out",
  );
  return h(
    "div",
    { class: "form", role: "group", "aria-label": `Settings of ${item.rule.name}` },
    nameField(item, set),
    cameraField(item, camera, set),
    classField(item, classNames, set),
    kind === "zone" && zoneFields(item, set),
    kept(item),
    h("div", { class: "form-row" }, kind === "line" && turn, remove),
  );
}

/**
 * @param {Item} item
 * @param {(values: object) => void} set
 */
function nameField(item, set) {
  const input = h("input", {
    type: "text",
    testid: `${item.kind}-name`,
    value: item.rule.name,
    required: true,
    maxlength: 64,
    pattern: "[A-Za-z0-9_\\-]{1,64}",
    autocomplete: "off",
    spellcheck: "false",
  });
  input.addEventListener("input", () => set({ name: input.value.trim() }));
  return field("Name", input, "Letters, digits, - and _");
}

/**
 * @param {Item} item
 * @param {string} camera
 * @param {(values: object) => void} set
 */
function cameraField(item, camera, set) {
  const before = item.rule.sources;
  const some = before && (before.length > 1 || before[0] !== camera);
  const choice = !before ? "all" : some ? "some" : "one";
  const option = (/** @type {string} */ value, /** @type {string} */ text) =>
    h("option", { value, selected: value === choice }, text);
  const select = h(
    "select",
    {},
    option("one", `${camera} alone`),
    some && option("some", before.join(", ")),
    option("all", "All cameras"),
  );
  const sources = { one: [camera], some: before, all: null };
  select.addEventListener("change", () => {
    set({ sources: sources[/** @type {"one"} */ (select.value)] });
  });
  return field("Holds for", select);
}

/**
 * @param {Item} item
 * @param {string[]} classNames
 * @param {(values: object) => void} set
 */
function classField(item, classNames, set) {
  const menu = new FilterMenu(
    "Objects",
    item.rule.classes ?? [],
    () => set({ classes: menu.values.length ? menu.values : null }),
    { testid: "rule-classes" },
  );
  menu.setOptions(classNames.map((name) => [name, name]));
  return menu.element;
}

/**
 * @param {Item} item
 * @param {(values: object) => void} set
 */
function zoneFields(item, set) {
  const number = (/** @type {"loitering_s" | "crowd"} */ key, /** @type {object} */ bounds) => {
    const value = item.rule[key] ?? "";
    const input = h("input", { type: "number", testid: `zone-${key}`, value, ...bounds });
    input.addEventListener("input", () => {
      set({ [key]: input.value === "" ? null : Number(input.value) });
    });
    return input;
  };
  const loitering = number("loitering_s", { min: 0.1, max: 86_400, step: "any" });
  const crowd = number("crowd", { min: 1, max: 1000, step: 1 });
  return [
    field("Loitering after, seconds", loitering, "Empty: nobody loiters"),
    field("Crowd from, objects", crowd, "Empty: there is never a crowd"),
  ];
}

/** @param {Item} item */
function kept({ rule }) {
  const others = Object.keys(rule).filter((key) => !ASKED.has(key));
  if (others.length === 0) return null;
  return h("p", { class: "hint" }, `Other settings stay as they are: ${others.join(", ")}.`);
}
