import { lineOf } from "./api.js";
import { h, newId, setText } from "./dom.js";
import { icon } from "./icons.js";

/**
 * Open a window over the page, which Escape and its cross close.
 * @param {string} title
 * @param {...import("./dom.js").Child} content
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, ...content) {
  const id = newId();
  const cross = h(
    "button",
    { class: "icon-button", type: "button", "aria-label": "Close", on: { click: () => close() } },
    icon("close"),
  );
  const head = h("header", { class: "dialog-head" }, h("h2", { id }, title), cross);
  const dialog = h("dialog", { "aria-labelledby": id }, head, ...content);
  const close = () => dialog.close();
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Close whatever is open, as its view goes. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}

/**
 * Ask before something is done that cannot be undone.
 * @param {string} title
 * @param {string} text
 * @param {string} verb what the button says
 * @param {() => Promise<void>} act what an error of it is shown of
 */
export function confirmDialog(title, text, verb, act) {
  const fault = formError();
  const yes = h("button", { class: "danger", type: "button", testid: "confirm" }, verb);
  const no = h("button", { type: "button", testid: "cancel", autofocus: true }, "Cancel");
  const dialog = openDialog(
    title,
    h("p", {}, text),
    fault.element,
    h("div", { class: "dialog-foot" }, no, yes),
  );
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => whileBusy(yes, fault, act, () => dialog.close()));
}

/**
 * Where a form tells what was wrong.
 * @returns {{element: HTMLElement, show: (text: string) => void}}
 */
export function formError() {
  const element = h("p", { class: "form-error", role: "alert", testid: "form-error" });
  return { element, show: (text) => setText(element, text) };
}

/**
 * Do something that takes a while, once.
 * @param {HTMLButtonElement} button cannot be pressed meanwhile
 * @param {{show: (text: string) => void}} fault where errors are told
 * @param {() => Promise<void>} act
 * @param {() => void} [done] called after success
 */
export async function whileBusy(button, fault, act, done = () => {}) {
  fault.show("");
  button.disabled = true;
  try {
    await act();
    done();
  } catch (error) {
    fault.show(lineOf(error) ?? "");
  } finally {
    button.disabled = false;
  }
}

/**
 * A note that changes are gone after the run; nothing where they are saved.
 * @param {import("./types.js").System} system
 * @returns {HTMLElement | null}
 */
export function unsavedNote({ saves, why_not_saved: why }) {
  if (saves) return null;
  const reason = why ? `: ${why}` : "";
  return h(
    "p",
    { class: "note", testid: "not-saved" },
    icon("info"),
    `Changes last until the end of this run${reason}.`,
  );
}
