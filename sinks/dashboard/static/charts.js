import { get, lineOf, query } from "./api.js";
import { Chart } from "./chart.js";
import { h, newId, replace, setText } from "./dom.js";
import { FilterMenu } from "./filter_menu.js";
import { icon } from "./icons.js";

/** @typedef {import("./chart.js").ChartData} ChartData */
/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").View} View */

/** Spans and their bins, seconds. */
const SPANS = /** @type {Record<string, {text: string, span_s: number, bin_s: number}>} */ ({
  hour: { text: "Last hour", span_s: 3600, bin_s: 60 },
  hours: { text: "Last 6 hours", span_s: 21_600, bin_s: 300 },
  day: { text: "Last day", span_s: 86_400, bin_s: 1800 },
  week: { text: "Last week", span_s: 604_800, bin_s: 10_800 },
  month: { text: "Last 30 days", span_s: 2_592_000, bin_s: 43_200 },
});
/** As many colours as can be told apart. */
const MOST_SERIES = 8;

/**
 * What was counted, over time.
 * @param {Context} context
 * @param {URLSearchParams} parameters
 * @returns {View}
 */
export function chartsView(context, parameters) {
  const view = new Charts(context, parameters);
  return { element: view.element, close: () => view.close() };
}

class Charts {
  #span;
  #cameras;
  #place = h("div", { class: "charts" });
  #fault = h("p", { class: "form-error", role: "alert" });
  #loading = new AbortController();
  /** @type {Chart[]} */
  #charts = [];
  #unwatch;

  /**
   * @param {Context} context
   * @param {URLSearchParams} parameters
   */
  constructor(context, parameters) {
    const wanted = parameters.get("span") ?? "";
    const chosen = wanted in SPANS ? wanted : "hour";
    this.#span = h(
      "select",
      { id: newId(), testid: "charts-span", on: { change: () => this.#filtered() } },
      Object.entries(SPANS).map(([value, { text }]) =>
        h("option", { value, selected: value === chosen }, text),
      ),
    );
    this.#cameras = new FilterMenu("Camera", parameters.getAll("camera"), () => this.#filtered());
    this.#unwatch = context.cameras.list.watch((cameras) => {
      this.#cameras.setOptions((cameras ?? []).map(({ id }) => [id, id]));
    });
    this.element = this.#build();
    this.#load();
  }

  close() {
    this.#loading.abort();
    this.#unwatch();
    for (const chart of this.#charts) chart.close();
  }

  #build() {
    const refresh = h(
      "button",
      { type: "button", testid: "refresh", on: { click: () => this.#load() } },
      icon("refresh"),
      "Refresh",
    );
    return h(
      "section",
      { class: "view" },
      h("div", { class: "view-head" }, h("h1", { tabindex: -1 }, "Charts")),
      h(
        "div",
        { class: "filter-bar" },
        h(
          "span",
          { class: "inline-field" },
          h("label", { for: this.#span.id }, "Time"),
          this.#span,
        ),
        this.#cameras.element,
        refresh,
      ),
      this.#fault,
      this.#place,
    );
  }

  #filtered() {
    const address = { span: this.#span.value, camera: this.#cameras.values };
    history.replaceState(null, "", `#/charts${query(address)}`);
    this.#load();
  }

  async #load() {
    this.#loading.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const { span_s: span, bin_s: bin } = SPANS[this.#span.value];
    const until = Math.ceil(Date.now() / 1000 / bin) * bin;
    const asked = query({
      camera: this.#cameras.values,
      since: new Date((until - span) * 1000).toISOString(),
      until: new Date(until * 1000).toISOString(),
      bin_s: bin,
    });
    try {
      const counts = await get(`/counts${asked}`, loading.signal);
      setText(this.#fault, "");
      this.#show(counts);
    } catch (error) {
      const line = lineOf(error);
      if (line !== null) setText(this.#fault, line);
    }
  }

  /** @param {Counts} counts */
  #show(counts) {
    for (const chart of this.#charts) chart.close();
    this.#charts = chartsOf(counts).map((data) => new Chart(data));
    replace(
      this.#place,
      this.#charts.map(({ element }) => element),
      this.#charts.length === 0 && nothing(),
    );
  }
}

function nothing() {
  return h(
    "div",
    { class: "empty" },
    icon("charts"),
    h("h2", {}, "Nothing was counted in this time"),
    h("p", {}, "Objects are counted as they appear; zones and lines count once they are drawn."),
  );
}

/**
 * @typedef {object} Counts
 * @property {number} bin_s
 * @property {string[]} bins
 * @property {{camera: string, label: string, new: number[]}[]} objects
 * @property {{camera: string, zone: string, entered: number[], occupancy: number[]}[]} zones
 * @property {{camera: string, line: string, in: number[], out: number[]}[]} lines
 */

/**
 * @param {Counts} counts
 * @returns {ChartData[]}
 */
function chartsOf({ bins, bin_s, objects, zones, lines }) {
  const many = new Set([...objects, ...zones, ...lines].map(({ camera }) => camera)).size > 1;
  const named = (/** @type {string} */ camera, /** @type {string} */ name) =>
    many ? `${camera} ${name}` : name;
  const appeared = objects.map((one) => ({
    name: named(one.camera, one.label),
    values: one.new,
  }));
  const zoneSeries = (/** @type {"entered" | "occupancy"} */ key) =>
    zones.map((one) => ({ name: named(one.camera, one.zone), values: one[key] }));
  /** @type {Pick<ChartData, "title" | "form" | "series">[]} */
  const all = [
    { title: "Objects that appeared", form: "stacked", series: merged(appeared) },
    ...parts(zoneSeries("occupancy")).map((series) => ({
      title: "Most at once in zones",
      form: /** @type {const} */ ("steps"),
      series,
    })),
    { title: "Entered zones", form: "stacked", series: merged(zoneSeries("entered")) },
    ...lines.map((one) => ({
      title: `Crossed ${named(one.camera, one.line)}`,
      form: /** @type {const} */ ("bars"),
      series: [
        { name: "in", values: one.in },
        { name: "out", values: one.out },
      ],
    })),
  ];
  return all
    .filter(({ series }) => series.length > 0)
    .map((one) => ({ ...one, bins, bin_s }));
}

/**
 * As many at a time as can be told apart.
 * @template T
 * @param {T[]} all
 * @returns {T[][]}
 */
function parts(all) {
  const begins = all.map((_, place) => place).filter((place) => place % MOST_SERIES === 0);
  return begins.map((begin) => all.slice(begin, begin + MOST_SERIES));
}

/**
 * The largest by themselves, and all others as one.
 * @param {ChartData["series"]} series
 * @returns {ChartData["series"]}
 */
function merged(series) {
  if (series.length <= MOST_SERIES) return series;
  const sum = (/** @type {number[]} */ values) => values.reduce((all, value) => all + value, 0);
  const sorted = series.toSorted((one, other) => sum(other.values) - sum(one.values));
  const rest = sorted.slice(MOST_SERIES - 1);
  const values = rest[0].values.map((_, bin) => sum(rest.map((one) => one.values[bin])));
  return [...sorted.slice(0, MOST_SERIES - 1), { name: "others", values }];
}
