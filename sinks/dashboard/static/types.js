// What the server sends, for editors and type checkers; nothing imports this when the page runs.

/**
 * @typedef {object} Camera
 * @property {string} id
 * @property {string} address without secrets
 * @property {boolean} live
 * @property {import("./states.js").StateName} state
 * @property {string | null} reason
 * @property {string | null} since
 * @property {number} outages
 * @property {number | null} width
 * @property {number | null} height
 * @property {number} fps
 * @property {number} detect_fps
 * @property {{p50: number, p95: number} | null} latency_s
 * @property {number} captured
 * @property {number} inferred
 * @property {Record<string, number>} dropped
 * @property {boolean} overload
 * @property {{detect_fps?: number | null, motion?: boolean | object | null, priority?: number}}
 *   settings
 */

/**
 * @typedef {object} System
 * @property {string} version
 * @property {boolean} saves
 * @property {string | null} why_not_saved
 * @property {string[]} class_names
 * @property {boolean} annotated
 * @property {boolean} segments
 * @property {boolean} clips
 * @property {string} run_since
 */

/** @typedef {[number, number]} Point */

/**
 * A zone has a polygon, a line has points; what else there is stays as it is.
 * @typedef {object} Rule
 * @property {string} name
 * @property {Point[]} [polygon]
 * @property {Point[]} [points]
 * @property {string[] | null} [sources]
 * @property {string | null} [size]
 * @property {string[] | null} [classes]
 * @property {number | null} [loitering_s]
 * @property {number | null} [crowd]
 */

/** @typedef {{revision: string, zones: Rule[], lines: Rule[]}} Rules */

/**
 * What comes with a live picture.
 * @typedef {object} Header
 * @property {string} camera
 * @property {number} index
 * @property {string} wall_time
 * @property {number} frame_width
 * @property {number} frame_height
 * @property {number} age_s
 * @property {number} objects
 * @property {{name: string, occupancy: number, crowded: boolean}[]} zones
 * @property {{name: string, count_in: number, count_out: number}[]} lines
 */

/**
 * @typedef {object} WatchEvent
 * @property {string} event its kind
 * @property {string} id
 * @property {string} source
 * @property {string} wall_time
 * @property {number} cursor
 * @property {string | null} snapshot_url
 * @property {string | null} [reason]
 * @property {any} [object]
 * @property {string} [zone]
 * @property {number | null} [dwell_s]
 * @property {number} [occupancy]
 * @property {string} [line]
 * @property {"in" | "out"} [direction]
 * @property {number} [count_in]
 * @property {number} [count_out]
 * @property {number | null} [outage_s]
 */

/**
 * What all views share.
 * @typedef {object} Context
 * @property {System} system
 * @property {import("./camera_store.js").CameraStore} cameras
 * @property {import("./rule_store.js").RuleStore} rules
 * @property {import("./live_pictures.js").LivePictures} pictures
 */

/**
 * A part of the page; `close` lets go of all that it holds.
 * @typedef {{element: HTMLElement, close: () => void}} View
 */

export {};
