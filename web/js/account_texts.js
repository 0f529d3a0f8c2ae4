// The words of accounts, sessions and roles.

import { config, listed, textsOf } from "./texts.js";

export const { say: a, sayOr: aOr } = textsOf("accounts");

const { say: role } = textsOf("roles");

/**
 * What a role is called.
 *
 * @param {string} name
 */
export const roleName = (name) => role(name);

/**
 * What a role is there for, in one sentence.
 *
 * @param {string} name
 */
export const roleDoes = (name) => role(`${name}_does`);

const MOST_NAMED = 3;

/**
 * Areas in words: the first few by name; the whole county where there are none to name.
 *
 * @param {{name: string}[] | null} areas
 */
export function areasText(areas) {
  if (areas === null) return a("whole_county");
  if (!areas.length) return a("no_area");
  const named = areas.slice(0, MOST_NAMED).map(({ name }) => name);
  const more = areas.length - named.length;
  return more > 0 ? `${listed(named)} ${a("n_more", { n: more })}` : listed(named);
}

/** The address of this page, to come back to after signing in. */
export const here = () => location.pathname + location.search + location.hash;

/**
 * The address of a page of ours in the reader's language.
 *
 * @param {string} path
 * @param {Record<string, string>} [query]
 */
export const pageOf = (path, query = {}) => `${path}?${new URLSearchParams({ ...query, lang: config.language })}`;
