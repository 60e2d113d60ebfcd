import { svg } from "./dom.js";

/** Lines in a square of 24. */
const PATHS = {
  live: "M3 6h12v12H3zM15 10l6-3v10l-6-3",
  events: "M5 6h14M5 12h14M5 18h9",
  recordings: "M4 5h16v14H4zM10 9l5 3-5 3z",
  charts: "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6",
  sun:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2" +
    "M20 12h2M5 5l1.5 1.5M17.5 17.5 19 19M5 19l1.5-1.5M17.5 6.5 19 5",
  moon: "M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z",
  contrast: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 3v18M12 8h7M12 12h9M12 16h7",
  logout: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  add: "M12 5v14M5 12h14",
  edit: "M4 20h4L20 8l-4-4L4 16zM13 7l4 4",
  rules: "M4 7l9-3 7 6-3 9-11 1zM4 7h.01M13 4h.01M20 10h.01M17 19h.01M6 20h.01",
  line: "M5 19 19 5M9 7l3 5 5 3",
  pause: "M8 5v14M16 5v14",
  play: "M7 4l13 8-13 8z",
  restart: "M20 12a8 8 0 1 1-2.5-5.8M20 3v5h-5",
  remove: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  back: "M15 5l-7 7 7 7",
  forward: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6 6 18",
  fullscreen: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  check: "M5 12l5 5L19 7",
  online: "M5 12l5 5L19 7",
  connecting: "M5 12h.01M12 12h.01M19 12h.01",
  stalled: "M12 4 2.5 20h19zM12 10v4M12 17h.01",
  offline: "M6 6l12 12M18 6 6 18",
  failed: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 8v5M12 16h.01",
  ended: "M7 7h10v10H7z",
  reading: "M7 4l13 8-13 8z",
  overload: "M4 16a8 8 0 1 1 16 0M12 16l4-5M3 20h18",
  person: "M12 4a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M5 20c.8-4 3-6 7-6s6.2 2 7 6",
  enter: "M10 4h10v16H10M3 12h11M10 8l4 4-4 4",
  leave: "M14 4H4v16h10M9 12h12M17 8l4 4-4 4",
  time: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
  crowd:
    "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M2 19c.5-3.5 2.5-5 6-5s5.5 1.5 6 5" +
    "M16 5.5a3 3 0 0 1 0 5.5M17 14c3 .3 4.5 2 5 5",
  cross: "M12 3v4M12 10v4M12 17v4M3 12h17M16 8l4 4-4 4",
  camera: "M3 6h12v12H3zM15 10l6-3v10l-6-3",
  swap: "M4 8h15M15 4l4 4-4 4M20 16H5M9 12l-4 4 4 4",
  filter: "M3 5h18l-7 8v6l-4-2v-4z",
  refresh: "M20 12a8 8 0 1 1-2.5-5.8M20 3v5h-5",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 11v5M12 8h.01",
};

/** @typedef {keyof typeof PATHS} IconName */

/**
 * A small picture that says nothing that the text beside it does not.
 * @param {IconName} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  return svg(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name] }),
  );
}
