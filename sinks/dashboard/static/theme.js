import { h, replace } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "watchline-theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");
const NAMES = { system: "as the system", dark: "dark", light: "light" };

/** @typedef {keyof typeof NAMES} Choice */

let choice = remembered();

/** Follow the choice of the user, or else the system. */
export function startTheme() {
  DARK.addEventListener("change", apply);
  apply();
}

/**
 * A button that switches between dark, light and as the system is.
 * @returns {HTMLElement}
 */
export function themeButton() {
  const button = h("button", { class: "icon-button", testid: "theme", type: "button" });
  const show = () => {
    const label = `Theme: ${NAMES[choice]}`;
    button.setAttribute("aria-label", label);
    button.title = label;
    replace(button, icon(choice === "system" ? "contrast" : choice === "dark" ? "moon" : "sun"));
  };
  button.addEventListener("click", () => {
    choice = next();
    remember(choice);
    apply();
    show();
  });
  show();
  return button;
}

/**
 * The first step away from the system is one that can be seen.
 * @returns {Choice}
 */
function next() {
  const other = DARK.matches ? "light" : "dark";
  if (choice === "system") return other;
  return choice === other ? (DARK.matches ? "dark" : "light") : "system";
}

function apply() {
  const dark = choice === "system" ? DARK.matches : choice === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

/** @returns {Choice} */
function remembered() {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "dark" || stored === "light" ? stored : "system";
  } catch {
    return "system"; // the browser lets pages store nothing
  }
}

/** @param {Choice} value */
function remember(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // it lasts for this visit then
  }
}
