// Times of the server are UTC; people see those of their own clock.

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const SHORT_TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const COUNT = new Intl.NumberFormat();

/**
 * Seconds since midnight are there, and the day where it is not today.
 * @param {string} time RFC 3339
 * @returns {string}
 */
export function clock(time) {
  const at = new Date(time);
  return isToday(at) ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`;
}

/**
 * The same to the minute.
 * @param {string} time RFC 3339
 * @returns {string}
 */
export function shortClock(time) {
  const at = new Date(time);
  return isToday(at) ? SHORT_TIME.format(at) : `${DAY.format(at)}, ${SHORT_TIME.format(at)}`;
}

/**
 * Hours and minutes alone.
 * @param {Date} at
 * @returns {string}
 */
export function hourAndMinute(at) {
  return SHORT_TIME.format(at);
}

/**
 * A day.
 * @param {Date} at
 * @returns {string}
 */
export function day(at) {
  return DAY.format(at);
}

/**
 * A time in full.
 * @param {string} time RFC 3339
 * @returns {string}
 */
export function fullTime(time) {
  return FULL.format(new Date(time));
}

/** @param {Date} at */
function isToday(at) {
  return at.toDateString() === new Date().toDateString();
}

/**
 * A length of time in its two largest units.
 * @param {number} seconds
 * @returns {string} as "3 h 12 min"
 */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (seconds > 0 && seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return join(minutes, "min", minutes < 10 ? whole % 60 : 0, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return join(hours, "h", minutes % 60, "min");
  return join(Math.floor(hours / 24), "d", hours % 24, "h");
}

/**
 * @param {number} large
 * @param {string} unit
 * @param {number} small
 * @param {string} smaller
 */
function join(large, unit, small, smaller) {
  return small ? `${large} ${unit} ${small} ${smaller}` : `${large} ${unit}`;
}

/**
 * How long ago a time was.
 * @param {string} time RFC 3339
 * @returns {string}
 */
export function ago(time) {
  return duration(Math.floor((Date.now() - Date.parse(time)) / 1000));
}

/**
 * A latency.
 * @param {number} seconds
 * @returns {string}
 */
export function milliseconds(seconds) {
  return seconds < 10 ? `${Math.round(seconds * 1000)} ms` : duration(seconds);
}

/**
 * A number of things.
 * @param {number} value
 * @returns {string}
 */
export function count(value) {
  return COUNT.format(value);
}

/**
 * A rate or a share with one decimal.
 * @param {number} value
 * @returns {string}
 */
export function decimal(value) {
  return value.toFixed(1);
}

/**
 * The size of a file.
 * @param {number} bytes
 * @returns {string}
 */
export function bytes(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/**
 * A day as a date field has it.
 * @param {Date} at
 * @returns {string} as 2026-01-31
 */
export function dateValue(at) {
  const month = String(at.getMonth() + 1).padStart(2, "0");
  return `${at.getFullYear()}-${month}-${String(at.getDate()).padStart(2, "0")}`;
}
