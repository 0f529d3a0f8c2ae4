// Writes types/api.d.ts: the types of the API's answers, out of its own description.
//
//   python scripts/lib/openapi.py | node tools/api_types.js

import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import openapiTS, { astToString } from "openapi-typescript";

const types = astToString(await openapiTS(await text(process.stdin)));
// What the description leaves open is not known to be wrong.
writeFileSync(new URL("../types/api.d.ts", import.meta.url), types.replaceAll(": unknown", ": any"));
