import { ApiError, get, send } from "./api.js";
import { Value } from "./value.js";

/** @typedef {import("./types.js").Header} Header */
/** @typedef {import("./types.js").Rule} Rule */
/** @typedef {import("./types.js").Rules} Rules */

/** The zones and lines of the run. */
export class RuleStore {
  /** null until they are known. */
  current = new Value(/** @type {Rules | null} */ (null));
  /**
   * What pictures told when the rules were asked for because of it, by camera.
   * @type {Map<string, string>}
   */
  #told = new Map();

  /** Ask for them. */
  async load() {
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
   * Ask again, once, where a picture tells of other rules than we know: others change them too.
   * @param {Header} header
   */
  noticed({ camera, zones, lines }) {
    const rules = this.current.value;
    const told = `${names(zones)}/${names(lines)}`;
    const here = (/** @type {Rule[]} */ all) => names(all.filter((rule) => isFor(rule, camera)));
    if (!rules || told === `${here(rules.zones)}/${here(rules.lines)}`) return;
    if (this.#told.get(camera) === told) return;
    this.#told.set(camera, told);
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

/** @param {{name: string}[]} rules */
function names(rules) {
  return rules.map(({ name }) => name).sort().join();
}
