import { get, lineOf, query } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { EventFilters } from "./event_filters.js";
import { EventList } from "./event_list.js";
import { followEvents } from "./event_stream.js";
import { eventTitle } from "./event_text.js";
import { icon } from "./icons.js";

/** @typedef {import("./types.js").Context} Context */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").WatchEvent} WatchEvent */

const MOST = 200;
const PAGE = 50;
/** So often at most screen readers are told of new events. */
const SPEAK_MS = 5000;

/**
 * What happened: newest first, live.
 * @param {Context} context
 * @param {URLSearchParams} parameters
 * @returns {View}
 */
export function eventsView(context, parameters) {
  const view = new Events(context, parameters);
  return { element: view.element, close: () => view.close() };
}

class Events {
  #list = new EventList(MOST);
  #filters;
  #older = h("button", { type: "button", hidden: true, testid: "older" }, "Older events");
  #newest = h("button", { class: "newest", type: "button", hidden: true, testid: "newest" });
  #fault = h("p", { class: "form-error", role: "alert" });
  #empty = h("div", { class: "empty", hidden: true });
  #spoken = h("p", { class: "unseen", role: "status", "aria-live": "polite" });
  #loading = new AbortController();
  /** Whether the newest events are in the list, and not only older pages. */
  #live = true;
  #missed = 0;
  #unspoken = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #speaking;
  #unfollow = () => {};

  /**
   * @param {Context} context
   * @param {URLSearchParams} parameters
   */
  constructor(context, parameters) {
    this.#filters = new EventFilters(context, parameters, () => this.#filtered());
    this.#older.addEventListener("click", () => this.#loadOlder());
    this.#newest.addEventListener("click", () => this.#restart());
    this.element = h(
      "section",
      { class: "view" },
      h("div", { class: "view-head" }, h("h1", { tabindex: -1 }, "Events")),
      this.#filters.element,
      this.#fault,
      this.#newest,
      this.#empty,
      this.#list.element,
      this.#older,
      this.#spoken,
    );
    this.#restart();
  }

  close() {
    this.#loading.abort();
    this.#unfollow();
    this.#filters.close();
    clearTimeout(this.#speaking);
  }

  #filtered() {
    history.replaceState(null, "", `#/events${query(this.#filters.address)}`);
    this.#restart();
  }

  #restart() {
    this.#unfollow();
    this.#list.clear();
    this.#live = true;
    this.#missed = 0;
    this.#newest.hidden = true;
    this.#empty.hidden = true;
    this.#older.hidden = true;
    const opened = () => this.#live && this.#load(null);
    this.#unfollow = followEvents(this.#filters.query, (event) => this.#happened(event), opened);
    this.#load(null);
  }

  async #loadOlder() {
    const before = this.#list.oldest;
    if (before !== null) await this.#load(before);
  }

  /** @param {number | null} before a cursor; null for the newest */
  async #load(before) {
    this.#loading.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const page = query({ ...this.#filters.query, before, limit: PAGE });
    try {
      const { events, next } = await get(`/events${page}`, loading.signal);
      setText(this.#fault, "");
      this.#take(events, next !== null, before !== null);
    } catch (error) {
      const line = lineOf(error);
      if (line !== null) setText(this.#fault, line);
    }
  }

  /**
   * @param {WatchEvent[]} events
   * @param {boolean} more whether there are older ones
   * @param {boolean} older whether these are an older page
   */
  #take(events, more, older) {
    if (older) {
      if (this.#list.addOlder(events)) this.#live = false;
      this.#older.hidden = !more;
    } else {
      const { newest } = this.#list;
      const gap = more && newest !== null && (events.at(-1)?.cursor ?? 0) > newest;
      if (gap) this.#list.clear();
      const trimmed = this.#list.addNewer(events);
      this.#older.hidden = !more && !trimmed;
    }
    this.#tellMissed();
    this.#tellEmpty();
  }

  /** @param {WatchEvent} event */
  #happened(event) {
    if (this.#live) {
      if (this.#list.addNewer([event])) this.#older.hidden = false;
      this.#tellEmpty();
    } else {
      this.#missed += 1;
      this.#tellMissed();
    }
    this.#speak(event);
  }

  #tellMissed() {
    this.#newest.hidden = this.#live;
    const missed = this.#missed ? `${this.#missed} new events. ` : "";
    setText(this.#newest, `${missed}Back to the newest`);
  }

  #tellEmpty() {
    this.#empty.hidden = this.#list.length > 0;
    if (this.#list.length > 0 || this.#empty.childElementCount) return;
    replace(
      this.#empty,
      icon("events"),
      h("h2", {}, "No events"),
      h("p", {}, "Nothing has happened yet that fits the filter."),
      h("p", {}, "To be told of more, draw zones and lines into the picture of a camera."),
    );
  }

  /** @param {WatchEvent} event */
  #speak(event) {
    this.#unspoken += 1;
    this.#speaking ??= setTimeout(() => {
      this.#speaking = undefined;
      const many = this.#unspoken === 1 ? "" : `${this.#unspoken} new events, the latest: `;
      this.#unspoken = 0;
      setText(this.#spoken, `${many}${eventTitle(event)}, ${event.source}`);
    }, SPEAK_MS);
  }
}
