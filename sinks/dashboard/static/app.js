import { ApiError, get, logOut, lineOf, reachable, refreshSession, session } from "./api.js";
import { connectionBanner } from "./banner.js";
import { CameraStore } from "./camera_store.js";
import { chartsView } from "./charts.js";
import { closeDialogs } from "./dialog.js";
import { h, replace } from "./dom.js";
import { editorView } from "./editor.js";
import { eventsView } from "./events.js";
import { shortClock } from "./format.js";
import { icon } from "./icons.js";
import { liveCamera } from "./live_camera.js";
import { liveGrid } from "./live_grid.js";
import { LivePictures } from "./live_pictures.js";
import { loginView } from "./login.js";
import { noticePlace, tell } from "./notice.js";
import { recordingsView } from "./recordings.js";
import { RuleStore } from "./rule_store.js";
import { startTheme, themeButton } from "./theme.js";

/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").View} View */

const RETRY_MS = 2000;

const TABS = /** @type {const} */ ([
  ["live", "Live"],
  ["events", "Events"],
  ["recordings", "Recordings"],
  ["charts", "Charts"],
]);

/**
 * The view that the address names.
 * @param {Context} context
 * @param {string[]} path
 * @param {URLSearchParams} parameters
 * @returns {View}
 */
function viewOf(context, [name, camera, part], parameters) {
  if (name === "events") return eventsView(context, parameters);
  if (name === "recordings") return recordingsView(context, parameters);
  if (name === "charts") return chartsView(context, parameters);
  if (camera && part === "rules") return editorView(context, camera);
  return camera ? liveCamera(context, camera) : liveGrid(context);
}

/** The page for somebody who is logged in, or need not be. */
class Page {
  #main = h("main", { id: "main", tabindex: -1 });
  #tabs = new Map(TABS.map(([name, text]) => [name, tab(name, text)]));
  #footer = h("footer", { class: "page-foot" });
  #cameras = new CameraStore();
  #pictures = new LivePictures();
  #rules = new RuleStore();
  #banner = connectionBanner(this.#pictures);
  /** @type {Context | null} */
  #context = null;
  /** @type {View | null} */
  #view = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #follow = () => this.#route();
  #unwatch;

  constructor() {
    replace(document.body, skipLink(this.#main), this.#head(), this.#banner.element, this.#main);
    document.body.append(this.#footer, noticePlace());
    addEventListener("hashchange", this.#follow);
    this.#unwatch = reachable.watch((answers) => answers && this.#learn());
  }

  /** Let go of everything. */
  close() {
    removeEventListener("hashchange", this.#follow);
    this.#unwatch();
    clearTimeout(this.#retry);
    this.#view?.close();
    this.#context = null;
    this.#banner.close();
    this.#pictures.close();
    this.#cameras.close();
    closeDialogs();
  }

  #head() {
    return h(
      "header",
      { class: "page-head" },
      h(
        "a",
        { class: "brand", href: "#/live", "aria-label": "Watchline" },
        h("img", { src: "/static/icon.svg", alt: "", width: 28, height: 28 }),
        h("span", {}, "Watchline"),
      ),
      h("nav", { class: "tabs", "aria-label": "Views" }, [...this.#tabs.values()]),
      h("div", { class: "tools" }, themeButton(), session.value?.login_required && logOutButton()),
    );
  }

  /** Ask what this run can do: at first, and when the server may be another one. */
  async #learn() {
    try {
      const [system] = await Promise.all([get("/system"), this.#rules.load()]);
      const first = this.#context === null;
      this.#context = {
        system,
        cameras: this.#cameras,
        rules: this.#rules,
        pictures: this.#pictures,
      };
      const about = `Watchline ${system.version}, running since `;
      replace(this.#footer, about, runTime(system), apiLink());
      if (first) this.#route(true);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (reachable.value) this.#retry = setTimeout(() => this.#learn(), RETRY_MS);
    }
  }

  #route(first = false) {
    if (!this.#context) return;
    const [path, parameters] = location.hash.replace(/^#\/?/, "").split("?");
    const names = path.split("/").map(decoded);
    this.#view?.close();
    closeDialogs();
    this.#view = viewOf(this.#context, names, new URLSearchParams(parameters));
    replace(this.#main, this.#view.element);
    for (const [name, link] of this.#tabs) {
      if (name === (names[0] || "live")) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const title = this.#main.querySelector("h1");
    document.title = `${title?.textContent} · Watchline`;
    if (first) return;
    scrollTo(0, 0);
    title?.focus({ preventScroll: true });
  }
}

/** @param {string} part of an address that anybody may have typed */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * @param {(typeof TABS)[number][0]} name
 * @param {string} text
 */
function tab(name, text) {
  return h("a", { href: `#/${name}`, testid: `tab-${name}` }, icon(name), h("span", {}, text));
}

/** @param {HTMLElement} main */
function skipLink(main) {
  const click = (/** @type {Event} */ clicked) => {
    clicked.preventDefault(); // the part after # names the view
    main.focus();
  };
  return h("a", { class: "skip", href: "#main", on: { click } }, "Skip to the content");
}

function logOutButton() {
  const click = () => logOut().catch((error) => tell(lineOf(error) ?? "", "failed"));
  return h(
    "button",
    {
      class: "icon-button",
      type: "button",
      testid: "logout",
      "aria-label": "Log out",
      title: "Log out",
      on: { click },
    },
    icon("logout"),
  );
}

/** @param {import("./types.js").System} system */
function runTime({ run_since: time }) {
  return h("time", { datetime: time }, shortClock(time));
}

function apiLink() {
  return h("a", { href: "/api/openapi.json" }, "API");
}

/** Show the page or the login, whichever the session allows. */
async function start() {
  startTheme();
  const banner = connectionBanner();
  replace(document.body, banner.element);
  while (!session.value) {
    try {
      await refreshSession();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  banner.close();
  /** @type {boolean | undefined} */
  let inside;
  let close = () => {};
  session.watch((now) => {
    const allowed = now !== null && (now.logged_in || !now.login_required);
    if (allowed === inside) return;
    inside = allowed;
    close();
    close = allowed ? showPage() : showLogin();
  });
}

/** @returns {() => void} ends it */
function showPage() {
  const page = new Page();
  return () => page.close();
}

/** @returns {() => void} ends it */
function showLogin() {
  const banner = connectionBanner();
  const place = h("main", { class: "login-place" }, loginView());
  replace(document.body, banner.element, place);
  /** @type {HTMLInputElement | null} */ (place.querySelector("[type=password]"))?.focus();
  document.title = "Watchline";
  return banner.close;
}

start();
