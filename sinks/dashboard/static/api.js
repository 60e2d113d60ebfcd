import { Value } from "./value.js";

/** Longest wait for a reply, milliseconds. */
const PATIENCE_MS = 20_000;
/** A proxy answers with these for a server that is gone, in words of its own. */
const AWAY = new Set([502, 503, 504]);

/**
 * @typedef {{login_required: boolean, logged_in: boolean, csrf: string | null, version: string}}
 *   Session
 */

/** Who we are to the server; null until it has said so. */
export const session = new Value(/** @type {Session | null} */ (null));

/** Whether the server answered the last time it was asked. */
export const reachable = new Value(true);

/** A request that was refused, or not answered; its message is one line for people. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status of HTTP; 0 where nothing answered
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * Ask for something.
 * @param {string} path below /api
 * @param {AbortSignal} [signal]
 * @param {number} [patience_ms]
 * @returns {Promise<any>}
 */
export function get(path, signal, patience_ms = PATIENCE_MS) {
  return request("GET", path, undefined, signal, patience_ms);
}

/**
 * Have something done.
 * @param {"POST" | "PUT" | "PATCH" | "DELETE"} method
 * @param {string} path below /api
 * @param {unknown} [body] sent as JSON
 * @returns {Promise<any>}
 */
export async function send(method, path, body) {
  try {
    return await request(method, path, body);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
    const before = session.value?.csrf; // another tab has logged in anew since
    await refreshSession();
    if (session.value?.csrf === before) throw error;
    return request(method, path, body);
  }
}

/** Ask the server who we are. */
export async function refreshSession() {
  session.value = await request("GET", "/session");
}

/**
 * The password of the server's owner becomes a session.
 * @param {string} password
 */
export async function logIn(password) {
  session.value = await request("POST", "/session", { password });
}

/** End the session. */
export async function logOut() {
  await send("DELETE", "/session");
  await refreshSession();
}

/**
 * An address that the server gave, if it is one of its own.
 * @param {string | null | undefined} url
 * @returns {string | null}
 */
export function ownUrl(url) {
  return url?.startsWith("/api/") ? url : null;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 * @param {number} [patience_ms]
 * @returns {Promise<any>}
 */
async function request(method, path, body, signal, patience_ms = PATIENCE_MS) {
  const limit = AbortSignal.timeout(patience_ms);
  /** @type {Record<string, string>} */
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && session.value?.csrf) headers["X-CSRF-Token"] = session.value.csrf;
  let reply;
  let text;
  try {
    reply = await fetch(`/api${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    text = await reply.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    reachable.value = false;
    throw new ApiError("The server does not answer.", 0);
  }
  const said = detail(text);
  reachable.value = said !== null || !AWAY.has(reply.status);
  if (reply.ok) return text ? JSON.parse(text) : null;
  if (reply.status === 401 && session.value?.logged_in) {
    session.value = { ...session.value, logged_in: false, csrf: null };
  }
  throw new ApiError(said ?? `The server answered ${reply.status}.`, reply.status);
}

/**
 * @param {string} text
 * @returns {string | null}
 */
function detail(text) {
  try {
    const said = JSON.parse(text).detail;
    return typeof said === "string" ? said : null;
  } catch {
    return null; // not from our server, but from a proxy
  }
}

/**
 * What to tell of an error; null for a request that we gave up ourselves.
 * @param {unknown} error
 * @returns {string | null}
 */
export function lineOf(error) {
  if (error instanceof DOMException && error.name === "AbortError") return null;
  if (error instanceof ApiError) return error.message;
  throw error;
}

/**
 * A query of names and values; names with several values are repeated, empty ones left out.
 * @param {Record<string, string | number | null | undefined | (string | number)[]>} values
 * @returns {string} with its question mark, or empty
 */
export function query(values) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") parameters.append(name, String(one));
    }
  }
  const text = parameters.toString();
  return text && `?${text}`;
}
