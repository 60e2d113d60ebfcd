import { get, lineOf, ownUrl, query } from "./api.js";
import { h, newId, replace, setText } from "./dom.js";
import { bytes, clock, dateValue } from "./format.js";
import { icon } from "./icons.js";
import { Player, toldTitle } from "./player.js";

/** @typedef {import("./player.js").Recording} Recording */
/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").View} View */

const PAGE = 100;

const KINDS = /** @type {const} */ ([
  ["clips", "Clips"],
  ["annotated", "Annotated"],
  ["segments", "Segments"],
]);

/**
 * What was recorded, by camera and day.
 * @param {Context} context
 * @param {URLSearchParams} parameters
 * @returns {View}
 */
export function recordingsView(context, parameters) {
  const kinds = KINDS.filter(([kind]) => context.system[kind]);
  if (kinds.length === 0) return { element: recordingIsOff(), close() {} };
  const view = new Recordings(context, kinds, parameters);
  return { element: view.element, close: () => view.close() };
}

function recordingIsOff() {
  const flag = (/** @type {string} */ name, /** @type {string} */ text) =>
    h("li", {}, h("code", {}, `${name} FOLDER`), ` ${text}`);
  return h(
    "section",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", { tabindex: -1 }, "Recordings")),
    h(
      "div",
      { class: "empty" },
      icon("recordings"),
      h("h2", {}, "Recording is off"),
      h("p", {}, "Start Watchline with one or more of these, or name them in its configuration:"),
      h(
        "ul",
        {},
        flag("--clips", "keeps the stretch around each event"),
        flag("--record", "keeps the pictures with what was found drawn in"),
        flag("--segments", "keeps all that the cameras send"),
      ),
    ),
  );
}

class Recordings {
  #kind;
  #camera;
  #kinds;
  #day = h("input", { type: "date", id: newId(), testid: "day" });
  #list = h("ol", { class: "recordings", testid: "recordings" });
  #none = h("p", { class: "empty", hidden: true });
  #more = h("button", { type: "button", hidden: true }, "Earlier ones");
  #fault = h("p", { class: "form-error", role: "alert" });
  #player = new Player();
  #loading = new AbortController();
  /** @type {unknown} */
  #next = null;
  #unwatch;

  /**
   * @param {Context} context
   * @param {(typeof KINDS)[number][]} kinds
   * @param {URLSearchParams} parameters
   */
  constructor(context, kinds, parameters) {
    const wanted = kinds.find(([kind]) => kind === parameters.get("kind")) ?? kinds[0];
    this.#kind = /** @type {string} */ (wanted[0]);
    this.#kinds = kinds.map(([kind, text]) => this.#kindButton(kind, text));
    this.#camera = h("select", { id: newId(), testid: "recordings-camera" });
    this.#unwatch = context.cameras.list.watch((cameras) => {
      this.#offer((cameras ?? []).map(({ id }) => id), parameters.get("camera"));
    });
    this.#day.value = parameters.get("day") ?? "";
    for (const field of [this.#camera, this.#day]) {
      field.addEventListener("change", () => this.#filtered());
    }
    this.#more.addEventListener("click", () => this.#load());
    this.element = this.#build();
    this.#restart();
  }

  close() {
    this.#loading.abort();
    this.#unwatch();
    this.#player.close();
  }

  #build() {
    const step = (/** @type {number} */ days, /** @type {string} */ label) =>
      h(
        "button",
        {
          class: "icon-button",
          type: "button",
          "aria-label": label,
          on: { click: () => this.#stepDay(days) },
        },
        icon(days < 0 ? "back" : "forward"),
      );
    return h(
      "section",
      { class: "view" },
      h(
        "div",
        { class: "view-head" },
        h("h1", { tabindex: -1 }, "Recordings"),
        h("div", { class: "choice", role: "group", "aria-label": "Kind" }, this.#kinds),
      ),
      h(
        "div",
        { class: "filter-bar" },
        h(
          "span",
          { class: "inline-field" },
          h("label", { for: this.#camera.id }, "Camera"),
          this.#camera,
        ),
        h(
          "span",
          { class: "inline-field" },
          h("label", { for: this.#day.id }, "Day"),
          step(-1, "Day before"),
          this.#day,
          step(1, "Day after"),
        ),
      ),
      this.#fault,
      h(
        "div",
        { class: "recordings-layout" },
        this.#player.element,
        h("div", { class: "recordings-list" }, this.#none, this.#list, this.#more),
      ),
    );
  }

  /**
   * @param {string} kind
   * @param {string} text
   */
  #kindButton(kind, text) {
    const pressed = String(kind === this.#kind);
    const button = h("button", { type: "button", "aria-pressed": pressed, testid: kind }, text);
    button.addEventListener("click", () => {
      this.#kind = kind;
      for (const other of this.#kinds) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      this.#filtered();
    });
    return button;
  }

  /**
   * @param {string[]} cameras
   * @param {string | null} wanted
   */
  #offer(cameras, wanted) {
    const chosen = this.#camera.options.length ? this.#camera.value : (wanted ?? "");
    const all = chosen && !cameras.includes(chosen) ? [...cameras, chosen] : cameras;
    if (this.#camera.options.length === all.length + 1) return;
    replace(
      this.#camera,
      h("option", { value: "", selected: chosen === "" }, "All"),
      all.map((id) => h("option", { value: id, selected: id === chosen }, id)),
    );
  }

  /** @param {number} days */
  #stepDay(days) {
    const [year, month, day] = (this.#day.value || dateValue(new Date())).split("-").map(Number);
    this.#day.value = dateValue(new Date(year, month - 1, day + days));
    this.#filtered();
  }

  #filtered() {
    const address = { kind: this.#kind, camera: this.#camera.value, day: this.#day.value };
    history.replaceState(null, "", `#/recordings${query(address)}`);
    this.#restart();
  }

  #restart() {
    this.#list.replaceChildren();
    this.#next = null;
    this.#more.hidden = true;
    this.#load();
  }

  async #load() {
    this.#loading.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const path = this.#kind === "clips" ? "/clips" : "/recordings";
    const asked = query({
      kind: this.#kind === "clips" ? null : this.#kind,
      camera: this.#camera.value,
      ...span(this.#day.value),
      before: /** @type {string | null} */ (this.#next),
      limit: PAGE,
    });
    try {
      const page = await get(path + asked, loading.signal);
      setText(this.#fault, "");
      this.#next = page.next;
      this.#more.hidden = page.next === null;
      const recordings = page.clips ?? page.recordings;
      this.#list.append(...recordings.map((/** @type {Recording} */ one) => this.#row(one)));
      this.#none.hidden = this.#list.childElementCount > 0;
      setText(this.#none, this.#day.value ? "Nothing of this day." : "Nothing is recorded yet.");
    } catch (error) {
      const line = lineOf(error);
      if (line !== null) setText(this.#fault, line);
    }
  }

  /** @param {Recording} recording */
  #row(recording) {
    const picture = ownUrl(recording.picture_url);
    const { events = [] } = recording;
    const what = events.length ? toldTitle(events[0]) : "";
    const more = events.length > 1 ? ` +${events.length - 1}` : "";
    const button = h(
      "button",
      { class: "recording-row", type: "button" },
      this.#kind === "clips" &&
        h(
          "span",
          { class: "event-thumb" },
          icon("recordings"),
          picture && h("img", { src: picture, alt: "", loading: "lazy" }),
        ),
      h(
        "span",
        { class: "event-what" },
        h("strong", {}, h("time", { datetime: recording.begun }, clock(recording.begun))),
        what && h("span", { class: "event-detail" }, what + more),
      ),
      h("span", { class: "event-when" }, recording.camera, h("span", {}, bytes(recording.bytes))),
    );
    button.addEventListener("click", () => {
      for (const other of this.#list.querySelectorAll("[aria-current]")) {
        other.removeAttribute("aria-current");
      }
      button.setAttribute("aria-current", "true");
      this.#player.play(recording);
    });
    return h("li", { testid: "recording", data: { camera: recording.camera } }, button);
  }
}

/**
 * A day by the clock of the user.
 * @param {string} value of a date field; empty for all days
 */
function span(value) {
  if (!value) return {};
  const [year, month, day] = value.split("-").map(Number);
  return {
    since: new Date(year, month - 1, day).toISOString(),
    until: new Date(year, month - 1, day + 1).toISOString(),
  };
}
