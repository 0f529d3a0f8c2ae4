// Requests to our own server. Says when something takes time, and turns problems into words.

import { at } from "./dom.js";
import { config, t } from "./texts.js";

/** @import { Answer } from "../types/answers.js" */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Parameters */

/** What the server, or the way to it, had to say. */
export class ApiError extends Error {
  /**
   * @param {number} status of HTTP; 0 where no answer came
   * @param {string} message
   * @param {Record<string, any>} [problem] as the answer described it
   */
  constructor(status, message, problem = {}) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

let waiting = 0;
/** @type {number | undefined} */
let timer;

/** @param {number} change */
function wait(change) {
  waiting += change;
  clearTimeout(timer);
  if (waiting > 0) timer = setTimeout(() => (at("busy").hidden = false), 120);
  else at("busy").hidden = true;
}

/** @param {Response} response */
async function problemOf(response) {
  try {
    const body = await response.json();
    if (response.status === 429) body.retry_after = response.headers.get("Retry-After");
    return new ApiError(response.status, body.detail || body.title || t("error_unknown"), body);
  } catch {
    return new ApiError(response.status, t("error_status", { status: response.status }));
  }
}

/**
 * What a change in a session proves by that it comes from a page of ours.
 *
 * @returns {Record<string, string>}
 */
export const proof = () => (config.actor.token ? { "X-Gis-Token": config.actor.token } : {});

/**
 * Send a request; where the session has ended meanwhile, again after signing in again.
 *
 * @param {string} path
 * @param {RequestInit} options
 */
export async function ask(path, options) {
  const dispatch = () =>
    fetch(path, options.method ? { ...options, headers: { ...options.headers, ...proof() } } : options);
  const response = await dispatch();
  if (!config.actor.signed_in || ![401, 403].includes(response.status)) return response;
  const { recover } = await import("./session.js");
  return (await recover()) ? dispatch() : response;
}

/**
 * @param {string} path
 * @param {RequestInit} options
 * @returns {Promise<any>}
 */
async function request(path, options) {
  wait(1);
  try {
    const response = await ask(path, options);
    if (!response.ok) throw await problemOf(response);
    return response.status === 204 ? null : await response.json();
  } catch (error) {
    if (error instanceof TypeError) throw new ApiError(0, t("error_server_gone"));
    throw error;
  } finally {
    wait(-1);
  }
}

/**
 * GET JSON; parameters that are empty are left out.
 *
 * @template {string} Path
 * @param {Path} path
 * @param {Parameters} [parameters]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer<Path, "get">>}
 */
export function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  query.set("lang", config.language);
  return request(`${path}?${query}`, { signal });
}

/**
 * POST JSON.
 *
 * @template {string} Path
 * @param {Path} path
 * @param {object} body
 * @param {Record<string, string>} [headers]
 * @returns {Promise<Answer<Path, "post">>}
 */
export const post = (path, body, headers = {}) =>
  request(`${path}?lang=${config.language}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

/**
 * POST a form with files.
 *
 * @param {string} path
 * @param {FormData} form
 */
export const sendForm = (path, form) => request(`${path}?lang=${config.language}`, { method: "POST", body: form });

/**
 * POST a file as it is.
 *
 * @param {string} path
 * @param {File} file
 */
export const sendFile = (path, file) =>
  request(`${path}?lang=${config.language}`, { method: "POST", headers: { "Content-Type": file.type }, body: file });

/**
 * Any method with JSON and headers of its own.
 *
 * @template {string} Path
 * @template {"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} Method
 * @param {Method} method
 * @param {Path} path
 * @param {object} [body]
 * @param {Record<string, string>} [headers]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer<Path, Lowercase<Method>>>}
 */
export const send = (method, path, body, headers = {}, signal = undefined) =>
  request(`${path}?lang=${config.language}`, {
    method,
    signal,
    headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

/** A key that makes a request sent twice happen once; also where the page is not on https. */
export const newKey = () =>
  crypto.randomUUID?.() ??
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Whether an error only says that we no longer wanted the answer.
 *
 * @param {unknown} error
 */
export const isStale = (error) => error instanceof Error && error.name === "AbortError";
