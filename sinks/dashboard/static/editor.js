import { ApiError, lineOf } from "./api.js";
import { cameraPicture } from "./camera_picture.js";
import { formError, unsavedNote } from "./dialog.js";
import { h, replace, setText } from "./dom.js";
import { EditorInput } from "./editor_input.js";
import { icon } from "./icons.js";
import { tell } from "./notice.js";
import { RuleDraft } from "./rule_draft.js";
import { ruleForm } from "./rule_form.js";

/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").View} View */

const FPS = 10;
const CONFLICT = 409;

const HELP = {
  zone:
    "Click its corners; a double click or Enter closes it, Escape cancels. By keyboard: arrow " +
    "keys move the cross, Space sets a corner.",
  line:
    "Click where it begins and where it ends, Escape cancels. By keyboard: arrow keys move the " +
    "cross, Space sets an end.",
};

const NONE =
  "None yet. A zone tells who enters, leaves and stays; a line counts who crosses it.";

/**
 * What people changed and did not save, by camera, should they come back.
 * @type {Map<string, RuleDraft>}
 */
const kept = new Map();

/**
 * Draw zones and lines into the picture of a camera.
 * @param {Context} context
 * @param {string} id
 * @returns {View}
 */
export function editorView(context, id) {
  const view = new Editor(context, id);
  return { element: view.element, close: () => view.close() };
}

class Editor {
  #context;
  #id;
  #draft;
  #input;
  #picture;
  #unwatch;
  #list = h("ul", { class: "rule-list" });
  #form = h("div");
  #help = h("p", { class: "note", role: "status", hidden: true });
  #fault = formError();
  #reload = h("button", { type: "button", hidden: true, testid: "reload-rules" }, "Reload");
  #save = h(
    "button",
    { class: "primary", type: "button", testid: "save-rules" },
    icon("check"),
    "Save",
  );
  #onLeave = (/** @type {BeforeUnloadEvent} */ leaving) => {
    if (this.#draft.changed) leaving.preventDefault();
  };

  /**
   * @param {Context} context
   * @param {string} id
   */
  constructor(context, id) {
    this.#context = context;
    this.#id = id;
    const empty = { revision: "", zones: [], lines: [] };
    this.#draft = kept.get(id) ?? new RuleDraft(context.rules.current.value ?? empty, id);
    this.#input = new EditorInput(this.#draft, {
      selected: (isNew) => this.#selected(isNew),
      changed: () => this.#changed(),
      begun: () => this.#begun(),
    });
    this.#picture = cameraPicture(context, id, FPS, () => {}, this.#input.layer);
    const unknown = h("p", { class: "empty", hidden: true }, `There is no camera ${id}.`);
    this.#save.addEventListener("click", () => this.#store());
    this.#reload.addEventListener("click", () => this.#startAnew());
    addEventListener("beforeunload", this.#onLeave);
    const body = this.#body();
    this.element = h("section", { class: "view editing" }, this.#head(), unknown, body);
    this.#unwatch = context.cameras.list.watch((cameras) => {
      const camera = context.cameras.find(id);
      unknown.hidden = !cameras || camera !== undefined;
      body.hidden = !camera;
      if (camera) this.#picture.update(camera);
    });
    this.#input.select(null);
    this.#changed();
  }

  close() {
    removeEventListener("beforeunload", this.#onLeave);
    if (this.#draft.changed) kept.set(this.#id, this.#draft);
    else kept.delete(this.#id);
    this.#unwatch();
    this.#picture.close();
  }

  #head() {
    const address = `#/live/${encodeURIComponent(this.#id)}`;
    const label = `Back to ${this.#id}`;
    return h(
      "div",
      { class: "view-head" },
      h("a", { class: "icon-button", href: address, "aria-label": label }, icon("back")),
      h("h1", { tabindex: -1 }, `Zones and lines of ${this.#id}`),
    );
  }

  #body() {
    const button = (/** @type {"zone" | "line"} */ kind) =>
      h(
        "button",
        { type: "button", testid: `new-${kind}`, on: { click: () => this.#input.begin(kind) } },
        icon(kind === "zone" ? "rules" : "line"),
        `New ${kind}`,
      );
    return h(
      "div",
      { class: "camera-layout" },
      h(
        "div",
        { class: "camera-main" },
        h("div", { class: "form-row" }, button("zone"), button("line")),
        h("div", { class: "stage" }, this.#picture.element),
        this.#help,
      ),
      h(
        "aside",
        { class: "camera-side", "aria-label": "Zones and lines" },
        h("section", { class: "panel" }, this.#list, this.#form),
        unsavedNote(this.#context.system),
        this.#fault.element,
        h("div", { class: "form-row" }, this.#reload, this.#save),
      ),
    );
  }

  /** @param {boolean} isNew */
  #selected(isNew) {
    const item = this.#input.selected;
    const classNames = this.#context.system.class_names;
    replace(
      this.#form,
      item &&
        ruleForm(item, this.#id, classNames, {
          changed: () => {
            this.#input.draw();
            this.#changed();
          },
          turn: () => {
            item.points = item.points.toReversed();
            item.moved = true;
            this.#input.draw();
            this.#changed();
          },
          remove: () => {
            this.#draft.remove(item);
            this.#input.select(null);
            this.#changed();
          },
        }),
    );
    this.#tellList();
    if (isNew) this.#form.querySelector("input")?.select();
  }

  #changed() {
    this.#save.disabled = !this.#draft.changed;
    this.#tellList();
  }

  #begun() {
    const { drawing } = this.#input;
    this.#help.hidden = drawing === null;
    if (drawing) setText(this.#help, HELP[drawing]);
  }

  #tellList() {
    const rows = this.#draft.here.map((item) => {
      const pressed = item === this.#input.selected;
      const click = () => this.#input.select(pressed ? null : item);
      return h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: "rule-row", "aria-pressed": String(pressed), on: { click } },
          icon(item.kind === "zone" ? "rules" : "line"),
          item.rule.name || "(no name)",
        ),
      );
    });
    const none = h("li", { class: "hint" }, NONE);
    const focused = [...this.#list.querySelectorAll("button")].findIndex(
      (button) => button === document.activeElement,
    );
    replace(this.#list, rows.length ? rows : none);
    if (focused >= 0) this.#list.querySelectorAll("button")[focused]?.focus();
  }

  async #store() {
    this.#fault.show("");
    this.#save.disabled = true;
    try {
      await this.#context.rules.save(this.#draft.rules);
      this.#adopt();
      tell("Saved. They hold from the next frame on.");
    } catch (error) {
      this.#save.disabled = false;
      this.#reload.hidden = !(error instanceof ApiError && error.status === CONFLICT);
      const more = this.#reload.hidden ? "" : " Reload to see them; your changes are lost then.";
      this.#fault.show((lineOf(error) ?? "") + more);
    }
  }

  async #startAnew() {
    try {
      await this.#context.rules.load();
      this.#adopt();
    } catch (error) {
      this.#fault.show(lineOf(error) ?? "");
    }
  }

  /** Go on from the rules that hold. */
  #adopt() {
    const rules = this.#context.rules.current.value;
    if (!rules) return;
    this.#draft = new RuleDraft(rules, this.#id);
    this.#reload.hidden = true;
    this.#fault.show("");
    const before = this.#input.selected;
    this.#input.setDraft(this.#draft);
    const again = this.#draft.here.find(
      ({ kind, rule }) => kind === before?.kind && rule.name === before.rule.name,
    );
    if (again) this.#input.select(again);
    this.#changed();
  }
}
