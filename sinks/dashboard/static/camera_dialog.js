import { formError, openDialog, unsavedNote, whileBusy } from "./dialog.js";
import { h, newId } from "./dom.js";

/** @typedef {import("./types.js").Camera} Camera */
/** @typedef {import("./types.js").Context} Context */

const MOTION = { "": null, moving: true, all: false };

/**
 * Ask for a camera to watch.
 * @param {Context} context
 */
export function addCamera(context) {
  openForm(context, null);
}

/**
 * Ask for other settings of a camera.
 * @param {Context} context
 * @param {Camera} camera
 */
export function editCamera(context, camera) {
  openForm(context, camera);
}

/**
 * @param {Context} context
 * @param {Camera | null} camera null for a new one
 */
function openForm(context, camera) {
  const fields = camera ? editFields(camera) : addFields();
  const fault = formError();
  const save = h(
    "button",
    { class: "primary", type: "submit", testid: "save-camera" },
    camera ? "Save" : "Add camera",
  );
  const cancel = h("button", { type: "button" }, "Cancel");
  const form = h(
    "form",
    { class: "form", testid: "camera-form" },
    fields.elements,
    unsavedNote(context.system),
    fault.element,
    h("div", { class: "dialog-foot" }, cancel, save),
  );
  const dialog = openDialog(camera ? `Settings of ${camera.id}` : "Add a camera", form);
  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    const act = () =>
      camera
        ? context.cameras.change(camera.id, fields.read())
        : context.cameras.add(fields.read());
    whileBusy(save, fault, act, () => dialog.close());
  });
}

function addFields() {
  const source = input({
    name: "source",
    required: true,
    autofocus: true,
    placeholder: "rtsp://user:password@10.0.0.5/stream1",
    ...NO_HELP,
  });
  const id = input({ name: "id", placeholder: "gate", maxlength: 64, ...NO_HELP });
  const others = settingFields({ detect_fps: null, motion: null, priority: 1 });
  return {
    elements: [
      field("Address", source, "rtsp:// or http:// of the camera, with its user and password"),
      field("Name", id, "Letters, digits, - and _; made from the address if left empty"),
      ...others.elements,
    ],
    /** @returns {Record<string, unknown>} */
    read: () => ({
      source: source.value.trim(),
      ...(id.value.trim() && { id: id.value.trim() }),
      ...others.read(),
    }),
  };
}

/** @param {Camera} camera */
function editFields(camera) {
  const source = input({
    name: "source",
    autofocus: true,
    placeholder: "Stays as it is",
    ...NO_HELP,
  });
  const others = settingFields(camera.settings);
  return {
    elements: [
      field("New address", source, `Now ${camera.address}. Leave empty to keep it.`),
      ...others.elements,
    ],
    /** @returns {Record<string, unknown>} */
    read: () => ({
      ...(source.value.trim() && { source: source.value.trim() }),
      ...others.read(),
    }),
  };
}

/**
 * Gives only what was changed.
 * @param {Camera["settings"]} settings
 */
function settingFields(settings) {
  const rate = numberInput("detect_fps", settings.detect_fps, { min: 0.01, max: 1000 });
  const priority = numberInput("priority", settings.priority ?? 1, { min: 0.1, max: 100 });
  const motion = motionSelect(settings.motion);
  const before = [rate.value, motion.value, priority.value];
  return {
    elements: [
      field("Detections a second", rate, "At most; empty for as many as all cameras have"),
      field("Detection", motion),
      field("Priority", priority, "Its share when the machine cannot keep up; 1 is usual"),
    ],
    read: () => ({
      ...(rate.value !== before[0] && { detect_fps: number(rate.value) }),
      ...(motion.value !== before[1] && { motion: MOTION[/** @type {""} */ (motion.value)] }),
      ...(priority.value !== before[2] && { priority: number(priority.value) ?? 1 }),
    }),
  };
}

/** @param {boolean | object | null | undefined} motion */
function motionSelect(motion) {
  const own = typeof motion === "object" && motion !== null;
  const now = own ? "own" : motion === true ? "moving" : motion === false ? "all" : "";
  const option = (/** @type {string} */ value, /** @type {string} */ text) =>
    h("option", { value, selected: value === now }, text);
  return h(
    "select",
    { name: "motion" },
    option("", "As all cameras"),
    option("moving", "Only where something moves"),
    option("all", "Whether something moves or not"),
    own && option("own", "Own settings of the configuration"),
  );
}

const NO_HELP = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };

/** @param {import("./dom.js").Props} props */
function input(props) {
  return h("input", { type: "text", ...props });
}

/**
 * @param {string} name
 * @param {number | null | undefined} value
 * @param {{min: number, max: number}} bounds
 */
function numberInput(name, value, bounds) {
  return h("input", { type: "number", step: "any", name, value: value ?? "", ...bounds });
}

/** @param {string} text */
function number(text) {
  return text === "" ? null : Number(text);
}

/**
 * A field with its name, and what there is to say about it.
 * @param {string} name
 * @param {HTMLInputElement | HTMLSelectElement} control
 * @param {string} [hint]
 * @returns {HTMLElement}
 */
export function field(name, control, hint) {
  control.id = newId();
  const note = hint ? h("span", { class: "hint", id: newId() }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, name), control, note);
}
