import { ApiError, get, send } from "./api.js";
import { Value } from "./value.js";

/** How often rules are asked for anew at most, as others may change them. */
const LEAST_MS = 5000;

/** @typedef {import("./types.js").Header} Header */
/** @typedef {import("./types.js").Rule} Rule */
/** @typedef {import("./types.js").Rules} Rules */

/** The zones and lines of the run. */
export class RuleStore {
  /** null until they are known. */
  current = new Value(/** @type {Rules | null} */ (null));
  #asked_ms = 0;

  /** Ask for them. */
  async load() {
    this.#asked_ms = performance.now();
    this.current.value = await get("/rules");
  }

  /**
   * Let others hold.
   * @param {Rules} rules with the revision that they were made from
   */
  async save(rules) {
    this.current.value = await send("PUT", "/rules", rules);
  }

  /**
   * Ask again where a picture tells of other rules than we know.
   * @param {Header} header
   */
  noticed({ camera, zones, lines }) {
    const rules = this.current.value;
    if (performance.now() - this.#asked_ms < LEAST_MS) return;
    const known = rules && same(rules.zones, zones, camera) && same(rules.lines, lines, camera);
    if (known) return;
    this.load().catch((error) => {
      if (!(error instanceof ApiError)) throw error;
    });
  }
}

/**
 * Whether a rule is for a camera.
 * @param {Rule} rule
 * @param {string} camera
 * @returns {boolean}
 */
export function isFor(rule, camera) {
  return !rule.sources || rule.sources.includes(camera);
}

/**
 * @param {Rule[]} rules
 * @param {{name: string}[]} told
 * @param {string} camera
 */
function same(rules, told, camera) {
  const ours = rules.filter((rule) => isFor(rule, camera)).map(({ name }) => name);
  return ours.sort().join() === told.map(({ name }) => name).sort().join();
}
