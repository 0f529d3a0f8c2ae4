// What the API answers to a path, out of its own description (types/api.d.ts, made by scripts/test).

import type { components, paths } from "./api.js";

/** A path of the description with any text, or any number, in the places of its {parameters}. */
type Filled<Path extends string, With extends string | number> = Path extends `${infer Before}{${string}}${infer After}`
  ? `${Before}${With}${Filled<After, With>}`
  : Path;

/** The path of the description that a script means: the same text, or the same text but for parameters. */
type Meant<Path extends string> = Path extends keyof paths
  ? Path
  : {
      [P in keyof paths]: Path extends Filled<P, string> ? (Filled<P, number> extends Path ? P : never) : never;
    }[keyof paths];

/** The body of an answer that went well; any where the description does not say. */
export type Answer<Path extends string, Method extends string> = [Meant<Path>] extends [never]
  ? any
  : paths[Meant<Path>] extends Record<Method, { responses: infer Responses }>
    ? Responses extends { 200: { content: { "application/json": infer Body } } }
      ? Stated<Body>
      : Responses extends { 201: { content: { "application/json": infer Body } } }
        ? Stated<Body>
        : Responses extends { 202: { content: { "application/json": infer Body } } }
          ? Stated<Body>
          : any
    : any;

type Stated<Body> = unknown extends Body ? any : Body;

/** One of the shapes that answers are made of, by its name in the description. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];
