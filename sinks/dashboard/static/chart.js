import { h, replace, setAttributes, setText, svg } from "./dom.js";
import { clock, count, day, hourAndMinute } from "./format.js";

/**
 * Values over time: bars, which may stand on each other, or steps.
 * @typedef {object} ChartData
 * @property {string} title
 * @property {"bars" | "stacked" | "steps"} form
 * @property {string[]} bins when each begins, RFC 3339
 * @property {number} bin_s
 * @property {{name: string, values: number[]}[]} series
 */

const HEIGHT = 200;
const LEFT = 40;
const BOTTOM = 24;
const TOP = 8;
/** Width of a label of time with its distance, CSS pixels. */
const TIME_ROOM = 84;
const DAY_S = 86_400;
const GAP = 0.2;

/** Draws values over time, and tells them at the pointer, by keyboard and as a table. */
export class Chart {
  #data;
  #picture = svg("svg", { class: "chart-picture", height: HEIGHT, tabindex: 0, role: "img" });
  #readout = h("p", { class: "readout", role: "status" });
  #sizes = new ResizeObserver(() => this.#draw());
  #width = 0;
  #highest;
  /** @type {number | null} */
  #pointed = null;

  /** @param {ChartData} data */
  constructor(data) {
    this.#data = data;
    this.#highest = niceTop(highest(data));
    const sum = data.series.reduce((all, { values }) => all + total(values), 0);
    const about = data.form === "steps" ? "" : `, ${count(sum)} in all`;
    this.#picture.setAttribute("aria-label", `${data.title}${about}. Arrow keys tell the values.`);
    this.#picture.addEventListener("pointermove", (moved) => this.#point(this.#binAt(moved)));
    this.#picture.addEventListener("pointerleave", () => this.#point(null));
    this.#picture.addEventListener("blur", () => this.#point(null));
    this.#picture.addEventListener("keydown", (pressed) => this.#key(pressed));
    this.element = h(
      "section",
      { class: "panel chart", testid: "chart" },
      h("div", { class: "panel-head" }, h("h2", {}, data.title), legend(data)),
      this.#picture,
      this.#readout,
      table(data),
    );
    this.#sizes.observe(this.#picture);
    this.#point(null);
  }

  /** Watch its size no more. */
  close() {
    this.#sizes.disconnect();
  }

  #draw() {
    this.#width = this.#picture.clientWidth;
    if (this.#width <= LEFT) return;
    replace(this.#picture, this.#axes(), this.#marks(), svg("rect", { class: "pointed" }));
    this.#point(this.#pointed);
  }

  #axes() {
    const middle = Math.round(this.#highest / 2);
    const levels = this.#highest > 1 ? [0, middle, this.#highest] : [0, this.#highest];
    const rows = levels.map((value) => {
      const y = this.#y(value);
      return [
        svg("line", { x1: LEFT, x2: this.#width, y1: y, y2: y, class: "level" }),
        svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, count(value)),
      ];
    });
    const { bins } = this.#data;
    const every = Math.max(1, Math.ceil((bins.length * TIME_ROOM) / (this.#width - LEFT)));
    const times = bins.flatMap((time, bin) =>
      bin % every === 0 && this.#x(bin) < this.#width - TIME_ROOM / 2
        ? svg("text", { x: this.#x(bin), y: HEIGHT - 6 }, this.#timeLabel(time))
        : [],
    );
    return svg("g", { class: "axes" }, rows.flat(), times);
  }

  /** @param {string} time */
  #timeLabel(time) {
    const { bins, bin_s: bin } = this.#data;
    const at = new Date(time);
    return bins.length * bin > 2 * DAY_S ? day(at) : hourAndMinute(at);
  }

  #marks() {
    const { form, series } = this.#data;
    if (form === "steps") return series.map(({ values }, number) => this.#steps(values, number));
    const bases = this.#data.bins.map(() => 0);
    return series.map(({ values }, number) =>
      svg(
        "g",
        { class: `series-${number}` },
        values.map((value, bin) => value > 0 && this.#bar(value, bin, number, bases)),
      ),
    );
  }

  /**
   * @param {number} value
   * @param {number} bin
   * @param {number} number of the series
   * @param {number[]} bases what is below, by bin
   */
  #bar(value, bin, number, bases) {
    const stacked = this.#data.form === "stacked";
    const room = (this.#x(1) - this.#x(0)) * (1 - GAP);
    const width = stacked ? room : room / this.#data.series.length;
    const base = stacked ? bases[bin] : 0;
    bases[bin] += value;
    const top = this.#y(base + value);
    return svg("rect", {
      x: this.#x(bin) + (room * GAP) / 2 + (stacked ? 0 : number * width),
      width: Math.max(1, width),
      y: top,
      height: this.#y(base) - top,
    });
  }

  /**
   * @param {number[]} values
   * @param {number} number of the series
   */
  #steps(values, number) {
    const d = values.map((value, bin) => `V${this.#y(value)}H${this.#x(bin + 1)}`).join("");
    const start = `M${this.#x(0)},${this.#y(values[0] ?? 0)}`;
    return svg("path", { d: start + d, class: `steps series-${number}` });
  }

  /** @param {number} bin */
  #x(bin) {
    return LEFT + (bin / this.#data.bins.length) * (this.#width - LEFT);
  }

  /** @param {number} value */
  #y(value) {
    return TOP + (1 - value / this.#highest) * (HEIGHT - TOP - BOTTOM);
  }

  /** @param {PointerEvent} pointer */
  #binAt({ clientX }) {
    const x = clientX - this.#picture.getBoundingClientRect().left;
    const bin = Math.floor(((x - LEFT) / (this.#width - LEFT)) * this.#data.bins.length);
    return bin >= 0 && bin < this.#data.bins.length ? bin : null;
  }

  /** @param {KeyboardEvent} pressed */
  #key(pressed) {
    const last = this.#data.bins.length - 1;
    const now = this.#pointed ?? last;
    const places = /** @type {Record<string, number>} */ ({
      ArrowLeft: Math.max(0, now - 1),
      ArrowRight: Math.min(last, now + 1),
      Home: 0,
      End: last,
    });
    if (!(pressed.key in places)) return;
    pressed.preventDefault();
    this.#point(places[pressed.key]);
  }

  /** @param {number | null} bin */
  #point(bin) {
    this.#pointed = bin;
    const mark = this.#picture.querySelector(".pointed");
    if (mark) {
      setAttributes(mark, {
        x: bin === null ? 0 : this.#x(bin),
        width: bin === null ? 0 : this.#x(bin + 1) - this.#x(bin),
        y: TOP,
        height: HEIGHT - TOP - BOTTOM,
      });
    }
    const { bins, series } = this.#data;
    const values = series.map((one) => `${one.name} ${count(one.values[bin ?? 0])}`).join(", ");
    setText(this.#readout, bin === null ? "\u00a0" : `${clock(bins[bin])}: ${values}`);
  }
}

/** @param {ChartData} data */
function legend({ series }) {
  const rows = series.map(({ name }, number) =>
    h("li", {}, h("span", { class: `swatch series-${number}` }), name),
  );
  return h("ul", { class: "legend" }, rows);
}

/** @param {ChartData} data */
function table({ title, bins, series }) {
  const details = h("details", { class: "chart-table" }, h("summary", {}, "As a table"));
  const build = () => {
    const head = ["From", ...series.map(({ name }) => name)];
    const rows = bins.map((time, bin) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, clock(time)),
        series.map(({ values }) => h("td", {}, count(values[bin]))),
      ),
    );
    details.append(
      h(
        "div",
        { class: "table-scroll", tabindex: 0, role: "region", "aria-label": title },
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))),
          h("tbody", {}, rows),
        ),
      ),
    );
  };
  details.addEventListener("toggle", build, { once: true });
  return details;
}

/** @param {ChartData} data */
function highest({ form, bins, series }) {
  const tops = bins.map((_, bin) => {
    const values = series.map((one) => one.values[bin]);
    return form === "stacked" ? total(values) : Math.max(0, ...values);
  });
  return Math.max(1, ...tops);
}

/** @param {number[]} values */
function total(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

/**
 * The next number that is easy to halve.
 * @param {number} value at least 1
 */
function niceTop(value) {
  if (value <= 2) return value;
  const scale = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 3, 4, 5, 6, 8, 10].find((one) => one * scale >= value) ?? 10;
  return step * scale;
}
