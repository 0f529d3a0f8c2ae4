// What the document brings along: its own elements, what the server embedded, and Folium's map.

import type { Shape } from "./answers.js";

/** Elements of web/templates/document.html by id. */
export interface Shell {
  bar: HTMLElement;
  busy: HTMLElement;
  choices: HTMLElement;
  coordinates: HTMLElement;
  drawn: HTMLElement;
  foot: HTMLElement;
  homes: HTMLElement;
  legend: HTMLElement;
  notice: HTMLElement;
  panel: HTMLElement;
  "panel-body": HTMLElement;
  said: HTMLElement;
  "scale-slot": HTMLElement;
  search: HTMLFormElement;
  "search-answers": HTMLElement;
  "search-text": HTMLInputElement;
  source: HTMLElement;
  stage: HTMLElement;
  version: HTMLElement;
  zoom: HTMLElement;
  "zoom-all": HTMLElement;
  "zoom-in": HTMLElement;
  "zoom-out": HTMLElement;
  "mode-map": HTMLElement;
  "mode-dispatch": HTMLElement;
  "mode-plan": HTMLElement;
  "mode-coverage": HTMLElement;
  "mode-report": HTMLElement;
  "open-enter": HTMLElement;
  "open-list": HTMLElement;
  "open-keys": HTMLElement;
}

/** What an element is made with: listeners, style, data, and what is written into the tag. */
export interface Attributes {
  [on: `on${string}`]: ((event: any) => unknown) | false | null | undefined;
  [name: string]: any;
}

/** A name in both languages. */
export interface Named {
  name?: string | null;
  name_en?: string | null;
}

export interface Actor extends Named {
  actor_id: number;
  role: string;
  /** What one answers for; null is the whole county. */
  areas: Shape<"Area">[] | null;
  /** Names of permissions; offers.js says what needs which. */
  may: string[];
  signed_in: boolean;
  login?: string | null;
  /** Goes with every change in a session. */
  token?: string | null;
  made_up: boolean;
}

/** What the server embedded in the document. */
export interface Config {
  language: string;
  languages: string[];
  actor: Actor;
  county: (Named & { code: string; bbox: [number, number, number, number] | null }) | null;
  schemes: Shape<"Scheme">[];
  today: string;
  version: string;
  base_maps: {
    key: string;
    name?: string;
    attribution?: string;
    archive?: string;
    tiles: string[];
    max_zoom: number;
  }[];
  /** Addresses of the scripts that come with a part, beyond those of the first view. */
  late_scripts: Record<string, string[]>;
  /** Addresses of files of libraries that a script adds when it needs them. */
  late_files: Record<string, string>;
  texts: Record<string, string>;
  /** What somebody may be, on the page of people; areas are needed, possible or none. */
  roles?: { name: string; areas: "needed" | "may" | "none"; has_keys: boolean }[];
  /** Whom one may be; on the page to sign in, where all people are made up. */
  demo_actors?: (Named & { actor_id: number; role: string; areas: Shape<"Area">[] | null })[];
}

/** Longitude, latitude in degrees. */
export type Position = [number, number];

/** A place on a plane, such as pixels. */
export interface Pixel {
  x: number;
  y: number;
}

/** West, south, east, north; or the same of a plane. */
export type Box = [number, number, number, number];

/** Figures of a theme for the map, as the API gives them or as a mode makes them. */
export type Figures = Pick<Shape<"MapFigures">, "unit" | "of" | "day"> & {
  scheme?: string;
  rank?: number;
  classes: { colour: string; label: string; count: number }[];
  status: string;
  theme: string;
  title?: string;
  short?: string;
  class_of: Record<string, number | null>;
  values: Record<string, number | null>;
};

/** Facility, hazard, incident or place, as the panel and the map know it. */
export interface Point {
  id: string;
  of: string;
  kind: string;
  lon: number;
  lat: number;
  name?: string;
  grade?: string;
  status?: string;
  [more: string]: any;
}

declare global {
  interface Window {
    grid_map_page: L.Map & { pageLayers: Record<string, L.Layer>; pointCluster: any; clusterIcon: Function };
  }
}

declare module "leaflet" {
  interface MarkerOptions {
    symbolKind?: string;
  }
  interface GeoJSONOptions {
    renderer?: Renderer;
  }
}
