import { replace, setAttributes, svg } from "./dom.js";
import { unitOf } from "./overlay.js";
import { inArrow, inside, labelPoint, middle, svgPoints } from "./shapes.js";

/** @typedef {import("./rule_draft.js").Item} Item */
/** @typedef {import("./types.js").Header} Header */
/** @typedef {import("./types.js").Point} Point */

/** Sizes on the screen, CSS pixels. */
const DOT = 7;
const SMALL_DOT = 5;
const REACH = matchMedia("(pointer: coarse)").matches ? 22 : 13;
const ARROW = 30;
const LABEL = 13;

/**
 * What is drawn: the items, the one that is selected, and a shape that is begun.
 * @typedef {object} Scene
 * @property {Item[]} items
 * @property {Item | null} selected
 * @property {{points: Point[], cursor: Point, kind: "zone" | "line"} | null} begun
 */

/** Zones and lines over a picture, with handles; draws, and knows what lies where. */
export class EditorLayer {
  element = svg("svg", {
    class: "overlay editor",
    testid: "editor",
    tabindex: 0,
    role: "group",
    "aria-label": "Zones and lines in the picture",
  });
  size = { width: 1280, height: 720 };
  /** @type {Scene} */
  #scene = { items: [], selected: null, begun: null };
  /** @type {Map<string, string>} */
  #counts = new Map();
  #unit = 1;
  #sizes = new ResizeObserver(() => this.draw(this.#scene));

  constructor() {
    this.#sizes.observe(this.element);
  }

  /** Watch the size of the picture no more. */
  close() {
    this.#sizes.disconnect();
  }

  /**
   * @param {number} width of the frames, pixels
   * @param {number} height
   */
  resize(width, height) {
    const viewBox = `0 0 ${width} ${height}`;
    if (this.element.getAttribute("viewBox") === viewBox) return;
    this.size = { width, height };
    this.element.setAttribute("viewBox", viewBox);
    this.draw(this.#scene);
  }

  /** @param {Header} header */
  show({ frame_width, frame_height, zones, lines }) {
    this.resize(frame_width, frame_height);
    for (const { name, occupancy } of zones) this.#counts.set(`zone ${name}`, ` ${occupancy}`);
    for (const { name, count_in: into, count_out: out } of lines) {
      this.#counts.set(`line ${name}`, ` in ${into} out ${out}`);
    }
    for (const label of this.element.querySelectorAll("text")) {
      const { key = "", name = "" } = /** @type {SVGElement} */ (label).dataset;
      label.textContent = name + (this.#counts.get(key) ?? "");
    }
  }

  /**
   * Where in the picture a pointer is.
   * @param {MouseEvent} pointer
   * @returns {Point} relative
   */
  pointAt(pointer) {
    const matrix = this.element.getScreenCTM();
    if (!matrix) return [0, 0];
    const { x, y } = new DOMPoint(pointer.clientX, pointer.clientY).matrixTransform(
      matrix.inverse(),
    );
    return inside([x / this.size.width, y / this.size.height]);
  }

  /**
   * How far apart two points are on the screen, CSS pixels.
   * @param {Point} one
   * @param {Point} other
   */
  distance(one, other) {
    const across = (one[0] - other[0]) * this.size.width;
    const down = (one[1] - other[1]) * this.size.height;
    return Math.hypot(across, down) / this.#unit;
  }

  /** @param {Scene} scene */
  draw(scene) {
    this.#scene = scene;
    this.#unit = unitOf(this.element);
    const { items, selected, begun } = scene;
    const focused = /** @type {SVGElement | null} */ (document.activeElement)?.dataset.handle;
    this.element.classList.toggle("drawing", begun !== null);
    replace(
      this.element,
      items.map((item, place) => this.#shape(item, place, item === selected)),
      selected && !begun && this.#handles(selected),
      begun && this.#begun(begun),
    );
    if (focused !== undefined) this.focusHandle(focused);
  }

  /** @param {string} name as "corner 2" */
  focusHandle(name) {
    /** @type {SVGElement | null} */
    const handle = this.element.querySelector(`[data-handle="${name}"]`);
    handle?.focus({ preventScroll: true });
  }

  /**
   * @param {Item} item
   * @param {number} place
   * @param {boolean} selected
   */
  #shape({ kind, rule, points }, place, selected) {
    const data = { item: place };
    const shape = svgPoints(points, this.size);
    const group = svg("g", { class: `${kind}${selected ? " selected" : ""}` });
    const [x, y] = kind === "zone" ? labelPoint(points) : points[1];
    const at = /** @type {Point} */ ([x * this.size.width, y * this.size.height]);
    if (kind === "zone") group.append(svg("polygon", { points: shape, class: "zone-area", data }));
    else {
      group.append(
        svg("polyline", { points: shape, class: "reach", data }),
        svg("polyline", { points: shape }),
        svg("path", { d: inArrow(points, this.size, ARROW * this.#unit) }),
      );
    }
    group.append(this.#label(at, `${kind} ${rule.name}`, rule.name));
    return group;
  }

  /**
   * @param {Point} at in pixels of the frame
   * @param {string} key
   * @param {string} name
   */
  #label([x, y], key, name) {
    const high = LABEL * this.#unit;
    const { width, height } = this.size;
    const text = name + (this.#counts.get(key) ?? "");
    const label = svg("text", { class: "rule-label", data: { key, name } }, text);
    setAttributes(label, {
      x: Math.min(width - high, Math.max(high, x)),
      y: Math.min(height - high / 2, Math.max(high * 1.5, y - high)),
      "font-size": high,
      "text-anchor": x > width * 0.75 ? "end" : x < width * 0.25 ? "start" : "middle",
    });
    return label;
  }

  /** @param {Item} item */
  #handles({ kind, rule, points }) {
    const corner = kind === "zone" ? "Corner" : "End";
    const corners = points.map((point, place) =>
      this.#handle(point, `corner ${place}`, "handle", DOT, [
        `${corner} ${place + 1} of ${rule.name}, ${percents(point)}.`,
        "Arrow keys move it" + (kind === "zone" ? ", Delete removes it" : ""),
      ]),
    );
    if (kind === "line") return corners;
    const between = points.map((point, place) => {
      const next = (place + 1) % points.length;
      return this.#handle(
        middle(point, points[next]),
        `middle ${place}`,
        "midpoint",
        SMALL_DOT,
        [`Between corners ${place + 1} and ${next + 1}.`, "Enter adds one"],
      );
    });
    return [...between, ...corners];
  }

  /**
   * @param {Point} point
   * @param {string} name
   * @param {"handle" | "midpoint"} testid
   * @param {number} radius
   * @param {string[]} words
   */
  #handle([x, y], name, testid, radius, words) {
    const at = { cx: x * this.size.width, cy: y * this.size.height };
    return svg(
      "g",
      {
        class: testid,
        testid,
        data: { handle: name },
        tabindex: 0,
        role: "button",
        "aria-label": words.join(" "),
      },
      svg("circle", { ...at, r: REACH * this.#unit, class: "reach" }),
      svg("circle", { ...at, r: radius * this.#unit, class: "dot" }),
    );
  }

  /** @param {NonNullable<Scene["begun"]>} begun */
  #begun({ points, cursor, kind }) {
    const [x, y] = [cursor[0] * this.size.width, cursor[1] * this.size.height];
    const arm = 12 * this.#unit;
    const cross = `M${x - arm},${y}H${x + arm}M${x},${y - arm}V${y + arm}`;
    const shape = svgPoints([...points, cursor], this.size);
    const dots = points.map(([px, py]) =>
      svg("circle", {
        cx: px * this.size.width,
        cy: py * this.size.height,
        r: SMALL_DOT * this.#unit,
        class: "dot",
      }),
    );
    const form = kind === "zone" && points.length > 1 ? "polygon" : "polyline";
    return svg(
      "g",
      { class: `begun ${kind}` },
      svg(form, { points: shape, class: form === "polygon" ? "zone-area" : null }),
      dots,
      svg("path", { d: cross }),
    );
  }
}

/** @param {Point} point */
function percents([x, y]) {
  return `${Math.round(x * 100)} % across, ${Math.round(y * 100)} % down`;
}
