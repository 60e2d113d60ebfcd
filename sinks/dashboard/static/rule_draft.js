import { isFor } from "./rule_store.js";
import { relativePoints, withPoints } from "./shapes.js";

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Rule} Rule */
/** @typedef {import("./types.js").Rules} Rules */

/**
 * A zone or line that is edited.
 * @typedef {object} Item
 * @property {"zone" | "line"} kind
 * @property {Rule} rule
 * @property {Point[]} points relative
 * @property {boolean} moved whether they are others than those of the rule
 */

/** Zones and lines as they will be; those of other cameras and all other settings stay. */
export class RuleDraft {
  /** @type {Item[]} */
  items;
  #before;
  #camera;

  /**
   * @param {Rules} rules
   * @param {string} camera whose picture is drawn in
   */
  constructor(rules, camera) {
    this.#before = rules;
    this.#camera = camera;
    this.items = [
      ...rules.zones.map((rule) => item("zone", rule)),
      ...rules.lines.map((rule) => item("line", rule)),
    ];
  }

  /** Those that hold in this picture. */
  get here() {
    return this.items.filter(({ rule }) => isFor(rule, this.#camera));
  }

  /** What is to be saved, with the revision that it came from. */
  get rules() {
    return {
      revision: this.#before.revision,
      zones: this.#rules("zone"),
      lines: this.#rules("line"),
    };
  }

  get changed() {
    return JSON.stringify(this.rules) !== JSON.stringify(this.#before);
  }

  /**
   * Add one, of this camera alone.
   * @param {"zone" | "line"} kind
   * @param {Point[]} points
   * @returns {Item}
   */
  add(kind, points) {
    const place = kind === "zone" ? { polygon: points } : { points };
    const rule = { name: this.#freeName(kind), ...place, sources: [this.#camera] };
    const added = { kind, rule, points, moved: true };
    this.items.push(added);
    return added;
  }

  /** @param {Item} removed */
  remove(removed) {
    this.items = this.items.filter((one) => one !== removed);
  }

  /** @param {"zone" | "line"} kind */
  #rules(kind) {
    return this.items
      .filter((one) => one.kind === kind)
      .map(({ rule, points, moved }) => (moved ? withPoints(rule, points) : rule));
  }

  /** @param {"zone" | "line"} kind */
  #freeName(kind) {
    const taken = new Set(this.items.map(({ rule }) => rule.name));
    let number = 1;
    while (taken.has(`${kind}-${number}`)) number += 1;
    return `${kind}-${number}`;
  }
}

/**
 * @param {"zone" | "line"} kind
 * @param {Rule} rule
 * @returns {Item}
 */
function item(kind, rule) {
  return { kind, rule, points: relativePoints(rule), moved: false };
}
