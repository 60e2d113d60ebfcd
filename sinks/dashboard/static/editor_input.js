import { EditorLayer } from "./editor_layer.js";
import { inside, middle } from "./shapes.js";

/** @typedef {import("./rule_draft.js").Item} Item */
/** @typedef {import("./rule_draft.js").RuleDraft} RuleDraft */
/** @typedef {import("./types.js").Point} Point */

/** How far an arrow key moves, as a share of the picture; and with Shift. */
const STEP = 0.005;
const LARGE_STEP = 0.05;
/** Two clicks closer than this are one, CSS pixels. */
const SAME = 6;
/** So near its first corner a click closes a zone. */
const CLOSING = 12;
const LEAST = { zone: 3, line: 2 };

const ARROWS = /** @type {Record<string, Point>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

/** Turns clicks, drags and keys in the picture into changes of a draft. */
export class EditorInput {
  layer = new EditorLayer();
  /** @type {Item | null} */
  selected = null;
  /** @type {{points: Point[], cursor: Point, kind: "zone" | "line"} | null} */
  #begun = null;
  /** Number of the corner that is dragged. */
  #dragged = /** @type {number | null} */ (null);
  #draft;
  #on;

  /**
   * @param {RuleDraft} draft
   * @param {{selected: (isNew: boolean) => void, changed: () => void, begun: () => void}} on
   */
  constructor(draft, on) {
    this.#draft = draft;
    this.#on = on;
    const { element } = this.layer;
    element.addEventListener("pointerdown", (pressed) => this.#press(pressed));
    element.addEventListener("pointermove", (moved) => this.#move(moved));
    for (const end of ["pointerup", "pointercancel"]) {
      element.addEventListener(end, () => {
        this.#dragged = null;
      });
    }
    element.addEventListener("click", (clicked) => {
      if (this.#begun) this.#place(this.layer.pointAt(clicked));
    });
    element.addEventListener("dblclick", () => this.#finish());
    element.addEventListener("keydown", (pressed) => this.#key(pressed));
  }

  /** What is being drawn; null for nothing. */
  get drawing() {
    return this.#begun?.kind ?? null;
  }

  /**
   * Go on with another draft.
   * @param {RuleDraft} draft
   */
  setDraft(draft) {
    this.#draft = draft;
    this.#begun = null;
    this.select(null);
  }

  /** Draw anew, as something has changed. */
  draw() {
    const { selected } = this;
    this.layer.draw({ items: this.#draft.here, selected, begun: this.#begun });
  }

  /**
   * @param {Item | null} item
   * @param {boolean} [isNew]
   */
  select(item, isNew = false) {
    this.selected = item;
    this.draw();
    this.#on.selected(isNew);
  }

  /**
   * Let the next clicks be corners of something new.
   * @param {"zone" | "line"} kind
   */
  begin(kind) {
    this.#begun = { kind, points: [], cursor: [0.5, 0.5] };
    this.select(null);
    this.layer.element.focus({ preventScroll: true });
    this.#on.begun();
  }

  /** Forget what was begun. */
  cancel() {
    this.#begun = null;
    this.draw();
    this.#on.begun();
  }

  /** @param {PointerEvent} pressed */
  #press(pressed) {
    if (this.#begun || pressed.button !== 0) return;
    const { item, handle } = find(pressed.target);
    if (handle) {
      const [what, number] = handle.split(" ");
      const place = Number(number);
      this.#dragged = what === "middle" ? this.#insert(place) : place;
      this.layer.element.setPointerCapture(pressed.pointerId);
      this.layer.focusHandle(`corner ${this.#dragged}`);
      pressed.preventDefault(); // or the focus goes to what is below
    } else this.select(item === undefined ? null : this.#draft.here[item]);
  }

  /** @param {PointerEvent} moved */
  #move(moved) {
    const point = this.layer.pointAt(moved);
    if (this.#begun) {
      this.#begun.cursor = point;
      this.draw();
    } else if (this.#dragged !== null) this.#setPoint(this.#dragged, point);
  }

  /** @param {KeyboardEvent} pressed */
  #key(pressed) {
    const { key } = pressed;
    const { handle } = find(pressed.target);
    const step = pressed.shiftKey ? LARGE_STEP : STEP;
    let used = true;
    if (key === "Escape" && this.#begun) this.cancel();
    else if (this.#begun) used = this.#keyOfBegun(key, step);
    else if (handle) used = this.#keyOfHandle(key, handle, step);
    else if (key === "Escape" && this.selected) this.select(null);
    else used = false;
    if (used) pressed.preventDefault();
  }

  /**
   * @param {string} key
   * @param {number} step
   */
  #keyOfBegun(key, step) {
    const begun = this.#begun;
    if (!begun) return false;
    if (key in ARROWS) begun.cursor = shifted(begun.cursor, ARROWS[key], step);
    else if (key === " ") this.#place(begun.cursor);
    else if (key === "Enter") this.#finish();
    else if (key === "Backspace" || key === "Delete") begun.points.pop();
    else return false;
    this.draw();
    return true;
  }

  /**
   * @param {string} key
   * @param {string} handle
   * @param {number} step
   */
  #keyOfHandle(key, handle, step) {
    const [what, number] = handle.split(" ");
    const place = Number(number);
    if (what === "middle") {
      if (key !== "Enter" && key !== " ") return false;
      this.layer.focusHandle(`corner ${this.#insert(place)}`);
    } else if (key in ARROWS && this.selected) {
      this.#setPoint(place, shifted(this.selected.points[place], ARROWS[key], step));
    } else if (key === "Delete" || key === "Backspace") this.#removePoint(place);
    else if (key === "Escape") this.select(null);
    else return false;
    return true;
  }

  /** @param {Point} point */
  #place(point) {
    const begun = this.#begun;
    if (!begun) return;
    const near = (/** @type {Point | undefined} */ other, /** @type {number} */ reach) =>
      other !== undefined && this.layer.distance(other, point) < reach;
    if (near(begun.points.at(-1), SAME)) return;
    const closes = begun.points.length >= LEAST.zone && near(begun.points[0], CLOSING);
    if (!closes) begun.points.push(point);
    if (closes || (begun.kind === "line" && begun.points.length === LEAST.line)) this.#finish();
    else this.draw();
  }

  #finish() {
    const begun = this.#begun;
    if (!begun || begun.points.length < LEAST[begun.kind]) return;
    this.#begun = null;
    const item = this.#draft.add(begun.kind, begun.points);
    this.#on.begun();
    this.#on.changed();
    this.select(item, true);
  }

  /**
   * @param {number} place
   * @param {Point} point
   */
  #setPoint(place, point) {
    this.#change((points) => points.with(place, inside(point)));
  }

  /**
   * @param {number} place of the corner before
   * @returns {number} of the new one
   */
  #insert(place) {
    this.#change((points) => {
      const between = middle(points[place], points[(place + 1) % points.length]);
      return points.toSpliced(place + 1, 0, between);
    });
    return place + 1;
  }

  /** @param {number} place */
  #removePoint(place) {
    const { selected } = this;
    if (!selected || selected.points.length <= LEAST[selected.kind]) return;
    this.#change((points) => points.toSpliced(place, 1));
    this.layer.focusHandle(`corner ${Math.min(place, selected.points.length - 1)}`);
  }

  /** @param {(points: Point[]) => Point[]} change */
  #change(change) {
    if (!this.selected) return;
    this.selected.points = change(this.selected.points);
    this.selected.moved = true;
    this.draw();
    this.#on.changed();
  }
}

/**
 * What in the picture was meant.
 * @param {EventTarget | null} target
 */
function find(target) {
  const element = target instanceof Element ? target : null;
  const handle = /** @type {SVGElement | null} */ (element?.closest("[data-handle]"));
  const item = /** @type {SVGElement | null} */ (element?.closest("[data-item]"));
  return {
    handle: handle?.dataset.handle,
    item: item ? Number(item.dataset.item) : undefined,
  };
}

/**
 * @param {Point} point
 * @param {Point} direction
 * @param {number} step
 * @returns {Point}
 */
function shifted([x, y], [right, down], step) {
  return inside([x + right * step, y + down * step]);
}
