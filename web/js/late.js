// Parts of the page with modules of their own, which come when somebody first wants the part.

import { h } from "./dom.js";
import { config, t } from "./texts.js";

/**
 * @template Screen
 * @typedef {object} Late
 * @property {Screen | null} now the screen, once it is there
 * @property {() => Promise<Screen>} open fetches its modules and makes it
 * @property {() => void} prepare fetches the modules ahead
 */
/**
 * @typedef {object} Screens
 * @property {Late<import("./dispatch.js").Dispatch>} dispatch
 * @property {Late<import("./plan.js").PlanMode>} plan
 * @property {Late<import("./coverage.js").CoverageMode>} coverage
 * @property {Late<import("./entry.js").Entry>} entry
 * @property {Late<import("./imports.js").Imports>} imports
 */

/**
 * A screen that is made when it is first opened.
 *
 * @template Module, Screen
 * @param {string} name as the server lists its scripts
 * @param {() => Promise<Module>} fetchModule
 * @param {(module: Module) => Screen} make
 * @returns {Late<Screen>}
 */
export function late(name, fetchModule, make) {
  /** @type {Promise<Screen> | null} */
  let opening = null;
  let isPrepared = false;
  /** @type {Late<Screen>} */
  const screen = { now: null, open, prepare };
  function prepare() {
    if (isPrepared) return;
    isPrepared = true;
    for (const href of config.late_scripts[name]) document.head.append(h("link", { rel: "modulepreload", href }));
  }
  function open() {
    prepare(); // what it imports comes at once, not one after the other
    opening ??= fetchModule()
      .catch(() => Promise.reject(new Error(t("error_server_gone"))))
      .then((module) => (screen.now = make(module)));
    opening.catch(() => (opening = null));
    return opening;
  }
  return screen;
}
