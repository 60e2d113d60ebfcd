import { reachable, refreshSession } from "./api.js";
import { Value } from "./value.js";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000;
const TOO_MANY_MS = 30_000;
/** Sizes and what is in sight change many times at once. */
const SETTLE_MS = 100;
/** So the way from one view to the next keeps the connection. */
const LINGER_MS = 2000;
/** Failures in a row that are told of. */
const TOLD_AFTER = 3;
const SESSION_ENDED = 4401;
const TOO_MANY = 4429;
const WIDTHS = /** @type {const} */ ([16, 3840]);

/** @typedef {import("./types.js").Header} Header */

/**
 * @typedef {object} Target
 * @property {string} camera
 * @property {number} fps
 * @property {boolean} visible
 * @property {(header: Header) => void} shown
 */

/** Draws live pictures of all cameras, which come over one connection. */
export class LivePictures {
  /** Why there are no pictures; empty while there are. */
  problem = new Value("");
  /** @type {Map<HTMLCanvasElement, Target>} */
  #targets = new Map();
  /** @type {WebSocket | null} */
  #socket = null;
  #failures = 0;
  #watched = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settle;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #linger;
  #sizes = new ResizeObserver(() => this.#changed());
  #sight = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const target = this.#targets.get(/** @type {HTMLCanvasElement} */ (entry.target));
      if (target) target.visible = entry.isIntersecting;
    }
    this.#changed();
  });
  #onVisibility = () => this.#changed();
  #unwatch;

  constructor() {
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.#unwatch = reachable.watch((answers) => this.#followServer(answers));
  }

  /**
   * Draw pictures of a camera while they are in sight.
   * @param {HTMLCanvasElement} canvas
   * @param {string} camera
   * @param {number} fps at most
   * @param {(header: Header) => void} shown called with each
   * @returns {() => void} ends it
   */
  show(canvas, camera, fps, shown) {
    this.#targets.set(canvas, { camera, fps, visible: false, shown });
    this.#sizes.observe(canvas);
    this.#sight.observe(canvas);
    return () => {
      this.#sizes.unobserve(canvas);
      this.#sight.unobserve(canvas);
      this.#targets.delete(canvas);
      this.#changed();
    };
  }

  /** Let go of the connection for good. */
  close() {
    this.#unwatch();
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#sizes.disconnect();
    this.#sight.disconnect();
    this.#targets.clear();
    clearTimeout(this.#settle);
    clearTimeout(this.#linger);
    this.#disconnect();
  }

  #changed() {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#update(), SETTLE_MS);
  }

  #update() {
    clearTimeout(this.#linger);
    if (this.#targets.size === 0) {
      this.#linger = setTimeout(() => this.#disconnect(), LINGER_MS);
    } else if (!this.#socket && this.#retry === undefined && reachable.value) this.#connect();
    this.#sendWatch();
  }

  #connect() {
    this.#retry = undefined;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/api/live`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#sendWatch());
    socket.addEventListener("message", ({ data }) => this.#receive(socket, data));
    socket.addEventListener("close", ({ code }) => this.#lost(socket, code));
    this.#socket = socket;
    this.#watched = "";
  }

  #disconnect() {
    const socket = this.#socket;
    this.#socket = null; // so that its end is none of a connection that we want
    clearTimeout(this.#retry);
    this.#retry = undefined;
    socket?.close();
  }

  /**
   * @param {WebSocket} socket
   * @param {number} code
   */
  #lost(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#failures += 1;
    if (code === SESSION_ENDED) refreshSession().catch(() => {});
    if (code === TOO_MANY) this.problem.value = "Too many people watch: no more live pictures.";
    else if (this.#failures >= TOLD_AFTER) {
      this.problem.value = "The connection for live pictures fails; trying again.";
    }
    const growing = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined;
        this.#update();
      },
      code === TOO_MANY ? TOO_MANY_MS : growing,
    );
  }

  /**
   * A connection to a server that is gone may look alive for minutes.
   * @param {boolean} answers
   */
  #followServer(answers) {
    this.#disconnect();
    this.#failures = 0;
    this.problem.value = "";
    if (answers) this.#changed();
  }

  #sendWatch() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const watch = JSON.stringify({ watch: this.#wanted() });
    if (watch === this.#watched) return;
    this.#watched = watch;
    this.#socket.send(watch);
  }

  /** One picture serves all places that show a camera. */
  #wanted() {
    /** @type {Map<string, {camera: string, width: number, fps: number, rules: boolean}>} */
    const wanted = new Map();
    for (const [canvas, { camera, fps, visible }] of this.#targets) {
      if (!visible || document.visibilityState !== "visible") continue;
      const width = shownWidth(canvas);
      const other = wanted.get(camera);
      wanted.set(camera, {
        camera,
        width: Math.max(width, other?.width ?? 0),
        fps: Math.max(fps, other?.fps ?? 0),
        rules: false,
      });
    }
    return [...wanted.values()];
  }

  /**
   * @param {WebSocket} socket
   * @param {ArrayBuffer} data
   */
  async #receive(socket, data) {
    const { header, jpeg } = parse(data);
    this.#failures = 0;
    this.problem.value = "";
    try {
      const bitmap = await createImageBitmap(jpeg);
      this.#draw(header, bitmap);
      bitmap.close();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error; // else one broken picture; others follow
    }
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ack: header.camera }));
  }

  /**
   * @param {Header} header
   * @param {ImageBitmap} bitmap
   */
  #draw(header, bitmap) {
    for (const [canvas, target] of this.#targets) {
      if (target.camera !== header.camera) continue;
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
        this.#changed(); // the shape of the picture tells how wide it is shown
      }
      canvas.getContext("2d", { alpha: false })?.drawImage(bitmap, 0, 0);
      canvas.dataset.index = String(header.index);
      target.shown(header);
    }
  }
}

/**
 * How wide the picture in a canvas is on the screen, without the bars beside it.
 * @param {HTMLCanvasElement} canvas
 * @returns {number} device pixels
 */
function shownWidth({ clientWidth, clientHeight, width, height }) {
  const shown = Math.min(clientWidth, (clientHeight * width) / height);
  return Math.min(WIDTHS[1], Math.max(WIDTHS[0], Math.ceil(shown * devicePixelRatio)));
}

/**
 * @param {ArrayBuffer} data 4 bytes of length, a header in JSON, a JPEG
 * @returns {{header: Header, jpeg: Blob}}
 */
function parse(data) {
  const length = new DataView(data).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  return { header, jpeg: new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }) };
}
