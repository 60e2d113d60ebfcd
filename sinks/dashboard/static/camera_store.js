import { ApiError, get, send } from "./api.js";
import { Value } from "./value.js";

const EVERY_MS = 1000;
const AFTER_ERROR_MS = 2000;
const PATIENCE_MS = 5000;

/** @typedef {import("./types.js").Camera} Camera */

/** The cameras as the server knows them, asked for again and again while somebody looks. */
export class CameraStore {
  /** null until they are known. */
  list = new Value(/** @type {Camera[] | null} */ (null));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {AbortController | undefined} */
  #asking;
  #closed = false;
  #onVisibility = () => this.refresh();

  constructor() {
    document.addEventListener("visibilitychange", this.#onVisibility);
    this.refresh();
  }

  /** Ask at once. */
  refresh() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    if (!this.#closed && document.visibilityState === "visible") this.#ask();
  }

  /** Ask no more. */
  close() {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.refresh();
  }

  /**
   * One of them.
   * @param {string} id
   * @returns {Camera | undefined}
   */
  find(id) {
    return this.list.value?.find((camera) => camera.id === id);
  }

  /**
   * Watch one more.
   * @param {Record<string, unknown>} settings
   */
  async add(settings) {
    this.#put(await send("POST", "/cameras", settings));
  }

  /**
   * Give one other settings.
   * @param {string} id
   * @param {Record<string, unknown>} settings
   */
  async change(id, settings) {
    this.#put(await send("PATCH", `/cameras/${encodeURIComponent(id)}`, settings));
  }

  /**
   * Let go of one, or take it up again.
   * @param {string} id
   * @param {"pause" | "resume" | "restart"} action
   */
  async act(id, action) {
    this.#put(await send("POST", `/cameras/${encodeURIComponent(id)}/${action}`));
  }

  /**
   * Watch one no more.
   * @param {string} id
   */
  async remove(id) {
    await send("DELETE", `/cameras/${encodeURIComponent(id)}`);
    this.list.value = (this.list.value ?? []).filter((camera) => camera.id !== id);
    this.refresh();
  }

  /** @param {Camera} camera */
  #put(camera) {
    const list = this.list.value ?? [];
    const known = list.some(({ id }) => id === camera.id);
    this.list.value = known
      ? list.map((other) => (other.id === camera.id ? camera : other))
      : [...list, camera];
    this.refresh(); // what is under way may have been answered before
  }

  async #ask() {
    const asking = new AbortController();
    this.#asking = asking;
    let pause = EVERY_MS;
    try {
      const { cameras } = await get("/cameras", asking.signal, PATIENCE_MS);
      if (asking.signal.aborted) return;
      this.list.value = cameras;
    } catch (error) {
      if (asking.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      pause = AFTER_ERROR_MS;
    }
    this.#timer = setTimeout(() => this.#ask(), pause);
  }
}
