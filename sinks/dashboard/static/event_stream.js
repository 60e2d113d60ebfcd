import { query, reachable } from "./api.js";

const RETRY_MS = 5000;

/** @typedef {import("./types.js").WatchEvent} WatchEvent */

/**
 * Be told of events as they happen, while somebody looks.
 * @param {Record<string, string | string[]>} filter as of /api/events
 * @param {(event: WatchEvent) => void} happened
 * @param {() => void} opened called at each new connection: there may be a gap before it
 * @returns {() => void} ends it
 */
export function followEvents(filter, happened, opened) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;

  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    if (document.visibilityState !== "visible" || !reachable.value) return;
    const stream = new EventSource(`/api/events/stream${query(filter)}`);
    stream.addEventListener("open", opened);
    stream.addEventListener("event", ({ data }) => happened(JSON.parse(data)));
    stream.addEventListener("error", () => {
      // The browser tries again by itself, but not where the server has answered with an error.
      if (stream.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
    });
    source = stream;
  };

  document.addEventListener("visibilitychange", open);
  const unwatch = reachable.watch(open);
  return () => {
    document.removeEventListener("visibilitychange", open);
    unwatch();
    close();
  };
}
