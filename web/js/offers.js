// What each part of the page needs: nobody is offered what the server would refuse.

import { config } from "./texts.js";

/** @typedef {import("../types/page.js").Actor} Actor */
/**
 * @typedef {object} Offer
 * @property {string[]} needs names of permissions, as the server tells them; any one of them is enough
 * @property {boolean} [isCounty] whether it is about the whole county, so that areas are not enough
 */

/** @satisfies {Record<string, Offer>} */
export const OFFERS = {
  dispatch: { needs: ["see_incident"] },
  report_incident: { needs: ["report_incident"] },
  reveal_reporter: { needs: ["reveal_reporter"] },
  incidents: { needs: ["see_incident"] },
  hazards: { needs: ["see_hazard"] },
  homes: { needs: ["see_household"] },
  officers: { needs: ["see_officer"] },
  every_officer: { needs: ["see_officer"], isCounty: true },
  locate_files: { needs: ["locate_files"] },
  plans: { needs: ["read_plans"] },
  plan: { needs: ["plan"] },
  measure: { needs: ["measure"] },
  county_report: { needs: ["see_household"], isCounty: true },
  enter: {
    needs: [
      "enter_building",
      "enter_duty",
      "enter_facility",
      "enter_hazard",
      "enter_household",
      "enter_leave",
      "enter_officer",
      "enter_premises",
    ],
  },
  import: { needs: ["import"] },
  people: { needs: ["manage_accounts"] },
  record: { needs: ["read_record"] },
};

/**
 * Whether a part of the page is offered to an actor.
 *
 * @param {keyof typeof OFFERS} part
 * @param {Pick<Actor, "may" | "areas">} [actor]
 */
export function offered(part, actor = config.actor) {
  /** @type {Offer} */
  const { needs, isCounty } = OFFERS[part];
  return needs.some((name) => actor.may.includes(name)) && !(isCounty && actor.areas);
}
