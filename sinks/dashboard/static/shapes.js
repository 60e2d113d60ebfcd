// Zones and lines in the picture: coordinates are shares of it, x and y from its upper left corner.

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Rule} Rule */
/** @typedef {{width: number, height: number}} Size */

/** As many decimals as a pixel of the largest pictures needs. */
const DECIMALS = 4;
const PIXEL_DECIMALS = 1;

/**
 * The points of a rule as shares of the picture.
 * @param {Rule} rule
 * @returns {Point[]}
 */
export function relativePoints(rule) {
  const points = rule.polygon ?? rule.points ?? [];
  if (!rule.size) return points;
  const [width, height] = rule.size.split("x").map(Number);
  return points.map(([x, y]) => [x / width, y / height]);
}

/**
 * The same rule with other points, in its own unit.
 * @param {Rule} rule
 * @param {Point[]} points
 * @returns {Rule}
 */
export function withPoints(rule, points) {
  const [width, height] = rule.size ? rule.size.split("x").map(Number) : [1, 1];
  const decimals = rule.size ? PIXEL_DECIMALS : DECIMALS;
  const own = points.map(
    ([x, y]) => /** @type {Point} */ ([round(x * width, decimals), round(y * height, decimals)]),
  );
  return rule.polygon ? { ...rule, polygon: own } : { ...rule, points: own };
}

/**
 * @param {number} value
 * @param {number} decimals
 */
function round(value, decimals) {
  return Number(value.toFixed(decimals));
}

/**
 * A point inside of the picture.
 * @param {Point} point
 * @returns {Point}
 */
export function inside([x, y]) {
  return [Math.min(1, Math.max(0, x)), Math.min(1, Math.max(0, y))];
}

/**
 * What lies halfway.
 * @param {Point} one
 * @param {Point} other
 * @returns {Point}
 */
export function middle(one, other) {
  return [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
}

/**
 * Points as SVG has them.
 * @param {Point[]} points relative
 * @param {Size} size of the picture
 * @returns {string}
 */
export function svgPoints(points, { width, height }) {
  return points.map(([x, y]) => `${x * width},${y * height}`).join(" ");
}

/**
 * The arrow that shows which way is in: to the right, looking along a line.
 * @param {Point[]} points two of them, relative
 * @param {Size} size of the picture
 * @param {number} length
 * @returns {string} as an SVG path
 */
export function inArrow([from, to], { width, height }, length) {
  const [x, y] = middle(from, to);
  const along = [(to[0] - from[0]) * width, (to[1] - from[1]) * height];
  const norm = Math.hypot(along[0], along[1]) || 1;
  const right = [-along[1] / norm, along[0] / norm]; // y goes down
  const ahead = [along[0] / norm, along[1] / norm];
  const start = [x * width, y * height];
  const tip = [start[0] + right[0] * length, start[1] + right[1] * length];
  const barb = (/** @type {number} */ side) =>
    [0, 1].map((i) => tip[i] - (right[i] - side * ahead[i]) * length * 0.4).join(",");
  return `M${start}L${tip}M${barb(1)}L${tip}L${barb(-1)}`;
}

/**
 * Where the name of a zone is written: amid its corners.
 * @param {Point[]} points
 * @returns {Point}
 */
export function labelPoint(points) {
  const sum = (/** @type {0 | 1} */ axis) => points.reduce((all, point) => all + point[axis], 0);
  return [sum(0) / points.length, sum(1) / points.length];
}
