import { h, newId, setText } from "./dom.js";
import { KIND_NAMES, USUAL_KINDS } from "./event_text.js";
import { FilterMenu } from "./filter_menu.js";
import { icon } from "./icons.js";

/** @typedef {import("./types.js").Context} Context */

const WIDE = "(min-width: 48rem)";

/** Which events are shown: fields, and the part of the address that keeps their values. */
export class EventFilters {
  #menus;
  #since = h("input", { type: "datetime-local", id: newId() });
  #summary = h("span");
  #until = h("input", { type: "datetime-local", id: newId() });
  /** @type {(() => void)[]} */
  #ends;

  /**
   * @param {Context} context
   * @param {URLSearchParams} parameters of the address
   * @param {() => void} changed
   */
  constructor(context, parameters, changed) {
    const told = () => {
      this.#tell();
      changed();
    };
    const menu = (/** @type {string} */ name, /** @type {string} */ title, all = "all") =>
      new FilterMenu(title, parameters.getAll(name), told, { testid: `filter-${name}`, all });
    this.#menus = {
      camera: menu("camera", "Camera"),
      kind: menu("kind", "What", "all but changes of objects"),
      label: menu("label", "Object"),
      zone: menu("zone", "Zone"),
      line: menu("line", "Line"),
    };
    this.#since.value = parameters.get("since") ?? "";
    this.#until.value = parameters.get("until") ?? "";
    for (const field of [this.#since, this.#until]) field.addEventListener("change", told);
    this.#menus.kind.setOptions(KIND_NAMES);
    this.#menus.label.setOptions(same(context.system.class_names));
    this.#ends = [
      context.cameras.list.watch((cameras) => {
        this.#menus.camera.setOptions(same((cameras ?? []).map(({ id }) => id)));
      }),
      context.rules.current.watch((rules) => {
        this.#menus.zone.setOptions(same(names(rules?.zones)));
        this.#menus.line.setOptions(same(names(rules?.lines)));
      }),
    ];
    this.element = this.#build(told);
    this.#tell();
  }

  /** As of /api/events. */
  get query() {
    const { camera, kind, label, zone, line } = this.#menus;
    return {
      camera: camera.values,
      kind: kind.values.length ? kind.values : USUAL_KINDS,
      label: label.values,
      zone: zone.values,
      line: line.values,
      since: instant(this.#since.value),
      until: instant(this.#until.value),
    };
  }

  /** As the address keeps it. */
  get address() {
    const chosen = Object.entries(this.#menus).map(([name, { values }]) => [name, values]);
    return {
      ...Object.fromEntries(chosen),
      since: this.#since.value,
      until: this.#until.value,
    };
  }

  /** Learn of new cameras and rules no more. */
  close() {
    for (const end of this.#ends) end();
  }

  /** On phones the fields are hidden, and people shall know that there are some. */
  #tell() {
    const set = Object.values(this.address).filter((value) => value.length > 0).length;
    setText(this.#summary, set ? `Filter (${set})` : "Filter");
  }

  /** @param {() => void} changed */
  #build(changed) {
    const clear = h("button", { type: "button", testid: "filter-clear" }, "Clear");
    clear.addEventListener("click", () => {
      for (const menu of Object.values(this.#menus)) menu.clear();
      this.#since.value = "";
      this.#until.value = "";
      changed();
    });
    return h(
      "details",
      { class: "filters", open: matchMedia(WIDE).matches },
      h("summary", {}, icon("filter"), this.#summary),
      h(
        "div",
        { class: "filter-bar" },
        Object.values(this.#menus).map(({ element }) => element),
        timeField("From", this.#since),
        timeField("To", this.#until),
        clear,
      ),
    );
  }
}

/**
 * @param {string} name
 * @param {HTMLInputElement} input
 */
function timeField(name, input) {
  return h("span", { class: "inline-field" }, h("label", { for: input.id }, name), input);
}

/**
 * @param {string[]} values
 * @returns {import("./filter_menu.js").Option[]}
 */
function same(values) {
  return values.map((value) => [value, value]);
}

/** @param {{name: string}[] | undefined} rules */
function names(rules) {
  return [...new Set((rules ?? []).map(({ name }) => name))];
}

/** @param {string} local as a field has it */
function instant(local) {
  const at = new Date(local);
  return local && !Number.isNaN(at.getTime()) ? at.toISOString() : "";
}
