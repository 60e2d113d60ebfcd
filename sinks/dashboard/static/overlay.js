import { replace, setAttributes, setText, svg } from "./dom.js";
import { isFor } from "./rule_store.js";
import { inArrow, labelPoint, relativePoints, svgPoints } from "./shapes.js";

/** @typedef {import("./types.js").Header} Header */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Rule} Rule */
/** @typedef {import("./types.js").Rules} Rules */

/** Sizes on the screen, CSS pixels. */
const ARROW = 26;
const LABEL = 12;

/** Zones and lines over a picture, with how many are there and have crossed. */
export class Overlay {
  /** Its picture is laid out as that of the canvas below. */
  element = svg("svg", { class: "overlay", "aria-hidden": "true" });
  /** Of the camera's frames, pixels; the unit of all that is drawn. */
  size = { width: 1280, height: 720 };
  /** @type {Rule[]} */
  #rules = [];
  /** @type {Map<string, (text: string, crowded?: boolean) => void>} */
  #labels = new Map();
  #camera;
  #sizes = new ResizeObserver(() => this.#draw());

  /** @param {string} camera */
  constructor(camera) {
    this.#camera = camera;
    this.#sizes.observe(this.element);
    this.#setViewBox();
  }

  /** Watch the size of the picture no more. */
  close() {
    this.#sizes.disconnect();
  }

  /**
   * @param {number} width of the frames
   * @param {number} height
   */
  resize(width, height) {
    if (width === this.size.width && height === this.size.height) return;
    this.size = { width, height };
    this.#setViewBox();
    this.#draw();
  }

  /** @param {Rules | null} rules */
  setRules(rules) {
    const all = rules ? [...rules.zones, ...rules.lines] : [];
    this.#rules = all.filter((rule) => isFor(rule, this.#camera));
    this.#draw();
  }

  /**
   * Tell what a picture tells.
   * @param {Header} header
   */
  show(header) {
    this.resize(header.frame_width, header.frame_height);
    for (const { name, occupancy, crowded } of header.zones) {
      const text = crowded ? `${name} ${occupancy} crowded` : `${name} ${occupancy}`;
      this.#labels.get(`zone ${name}`)?.(text, crowded);
    }
    for (const { name, count_in: into, count_out: out } of header.lines) {
      this.#labels.get(`line ${name}`)?.(`${name} in ${into} out ${out}`);
    }
  }

  #setViewBox() {
    const { width, height } = this.size;
    this.element.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  #draw() {
    this.#labels.clear();
    const unit = unitOf(this.element);
    replace(
      this.element,
      this.#rules.map((rule) => (rule.polygon ? this.#zone(rule, unit) : this.#line(rule, unit))),
    );
  }

  /**
   * @param {Rule} rule
   * @param {number} unit
   */
  #zone(rule, unit) {
    const points = relativePoints(rule);
    const area = svg("polygon", { points: svgPoints(points, this.size), class: "zone-area" });
    const label = textAt(this.#place(labelPoint(points)), this.size, unit, rule.name);
    this.#labels.set(`zone ${rule.name}`, (text, crowded) => {
      setText(label, text);
      area.classList.toggle("crowded", crowded);
    });
    return svg("g", {}, area, label);
  }

  /**
   * @param {Rule} rule
   * @param {number} unit
   */
  #line(rule, unit) {
    const points = relativePoints(rule);
    const arrow = inArrow(points, this.size, ARROW * unit);
    const [x, y] = this.#place(points[1]);
    const label = textAt([x, y - LABEL * unit], this.size, unit, rule.name);
    this.#labels.set(`line ${rule.name}`, (text) => setText(label, text));
    return svg(
      "g",
      { class: "line" },
      svg("polyline", { points: svgPoints(points, this.size) }),
      svg("path", { d: arrow }),
      label,
    );
  }

  /**
   * @param {Point} point
   * @returns {Point}
   */
  #place([x, y]) {
    return [x * this.size.width, y * this.size.height];
  }
}

/**
 * How much of a picture's own unit one CSS pixel on the screen is.
 * @param {SVGSVGElement} element
 * @returns {number}
 */
export function unitOf(element) {
  const scale = element.getScreenCTM()?.a;
  return scale ? 1 / scale : 1;
}

/**
 * A text that stays in the picture.
 * @param {Point} place
 * @param {{width: number, height: number}} size
 * @param {number} unit
 * @param {string} text
 */
function textAt([x, y], { width, height }, unit, text) {
  const high = LABEL * unit;
  const label = svg("text", { class: "rule-label" }, text);
  setAttributes(label, {
    x: Math.min(width - high, Math.max(high, x)),
    y: Math.min(height - high / 2, Math.max(high * 1.5, y + high / 3)),
    "font-size": high,
    "text-anchor": x > width * 0.75 ? "end" : x < width * 0.25 ? "start" : "middle",
  });
  return label;
}
