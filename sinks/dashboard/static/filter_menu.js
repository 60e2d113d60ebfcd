import { h, newId, replace, setText } from "./dom.js";

/** @typedef {[value: string, text: string]} Option */

/** A button that opens a list to choose several of; nothing chosen stands for all. */
export class FilterMenu {
  /** @type {Set<string>} */
  #chosen;
  /** @type {Option[]} */
  #options = [];
  #name;
  #all;
  #changed;
  #summary = h("summary");
  #list = h("div", { class: "menu-list" });

  /**
   * @param {string} name
   * @param {string[]} chosen at first
   * @param {() => void} changed called after each choice
   * @param {{testid?: string, all?: string}} [more] `all`: words for nothing chosen
   */
  constructor(name, chosen, changed, { testid, all = "all" } = {}) {
    this.#name = name;
    this.#chosen = new Set(chosen);
    this.#changed = changed;
    this.#all = all;
    const group = h("div", { role: "group", "aria-label": name }, this.#list);
    this.element = h("details", { class: "menu", testid }, this.#summary, group);
    this.element.addEventListener("keydown", (pressed) => {
      if (pressed.key !== "Escape" || !this.element.open) return;
      pressed.stopPropagation();
      pressed.preventDefault();
      this.element.open = false;
      this.#summary.focus();
    });
    this.element.addEventListener("focusout", ({ relatedTarget }) => {
      const inside = relatedTarget instanceof Node && this.element.contains(relatedTarget);
      if (relatedTarget && !inside) this.element.open = false;
    });
    const outside = (/** @type {PointerEvent} */ { target }) => {
      if (target instanceof Node && !this.element.contains(target)) this.element.open = false;
    };
    this.element.addEventListener("toggle", () => {
      if (this.element.open) document.addEventListener("pointerdown", outside);
      else document.removeEventListener("pointerdown", outside);
    });
    this.#tell();
  }

  /** What was chosen. */
  get values() {
    return [...this.#chosen];
  }

  /**
   * Offer these; what was chosen stays, even if it is not among them.
   * @param {Option[]} options
   */
  setOptions(options) {
    const missing = [...this.#chosen].filter((value) => !options.some(([one]) => one === value));
    const all = [...options, ...missing.map((value) => /** @type {Option} */ ([value, value]))];
    if (all.join("\n") === this.#options.join("\n")) return;
    this.#options = all;
    replace(
      this.#list,
      all.map((option) => this.#box(option)),
      all.length === 0 && h("p", { class: "hint" }, "Nothing to choose from"),
    );
    this.#tell();
  }

  /** Choose nothing. */
  clear() {
    this.#chosen.clear();
    for (const box of this.#list.querySelectorAll("input")) box.checked = false;
    this.#tell();
  }

  /** @param {Option} option */
  #box([value, text]) {
    const box = h("input", {
      type: "checkbox",
      id: newId(),
      value,
      checked: this.#chosen.has(value),
    });
    box.addEventListener("change", () => {
      if (box.checked) this.#chosen.add(value);
      else this.#chosen.delete(value);
      this.#tell();
      this.#changed();
    });
    return h("label", { class: "check", for: box.id }, box, text);
  }

  #tell() {
    const names = new Map(this.#options);
    const texts = this.values.map((value) => names.get(value) ?? value);
    const words = texts.length > 2 ? `${texts.length} chosen` : texts.join(", ") || this.#all;
    setText(this.#summary, `${this.#name}: ${words}`);
  }
}
