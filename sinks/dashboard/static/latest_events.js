import { ApiError, get, query } from "./api.js";
import { h } from "./dom.js";
import { EventList } from "./event_list.js";
import { followEvents } from "./event_stream.js";
import { USUAL_KINDS } from "./event_text.js";

const MOST = 20;

/**
 * The latest events of a camera, beside its picture.
 * @param {string} camera
 * @returns {import("./types.js").View}
 */
export function latestEvents(camera) {
  const filter = { camera, kind: USUAL_KINDS };
  const list = new EventList(MOST, false);
  const none = h("p", { class: "hint" }, "None yet.");
  const add = (/** @type {import("./types.js").WatchEvent[]} */ events) => {
    list.addNewer(events);
    none.hidden = list.length > 0;
  };
  const load = async () => {
    try {
      add((await get(`/events${query({ ...filter, limit: MOST })}`)).events);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the stream opens again, and this with it
    }
  };
  const address = `#/events${query({ camera })}`;
  return {
    element: h(
      "section",
      { class: "panel" },
      h("div", { class: "panel-head" }, h("h2", {}, "Events"), h("a", { href: address }, "All")),
      none,
      list.element,
    ),
    close: followEvents(filter, (event) => add([event]), load),
  };
}
