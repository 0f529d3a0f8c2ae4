// Checks the types that the page's scripts state in JSDoc, as `tsc --noEmit --checkJs --strict` does.
//
//   node tools/types.js
//
// Modules of UNTYPED do not state theirs yet: of them only names, imports and what the oldest browser's
// language has are checked. The list only shrinks: who has no fault any more must leave it.

import path from "node:path";
import ts from "typescript";

const UNTYPED = ["coverage.js", "coverage_what_if.js", "entry.js", "imports.js", "main.js", "panel.js"];

// Faults that say no more than that a type is not stated.
const UNKNOWN = [2322, 2339, 2345, 2362, 2363, 2551, 2554, 2556];

const root = path.resolve(import.meta.dirname, "..");
const project = path.join(root, "tsconfig.json");
const { config } = ts.readConfigFile(project, ts.sys.readFile);
const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, root, {}, project);

const isUntyped = (fault) => UNTYPED.includes(path.basename(fault.file?.fileName ?? ""));
const check = (more) => ts.getPreEmitDiagnostics(ts.createProgram(fileNames, { ...options, ...more }));

const strict = check({});
const loose = check({ strict: false });
const faults = [
  ...strict.filter((fault) => !isUntyped(fault)),
  ...loose.filter((fault) => isUntyped(fault) && !UNKNOWN.includes(fault.code)),
];
const typed = UNTYPED.filter((name) => !strict.some((fault) => fault.file?.fileName.endsWith(`/${name}`)));

console.error(
  ts.formatDiagnostics(faults, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => root,
    getNewLine: () => "\n",
  }),
);
for (const name of typed) console.error(`${name} states its types: take it off the list in tools/types.js`);
console.error(`${fileNames.length - UNTYPED.length} files under strict, ${UNTYPED.length} not yet`);
process.exitCode = faults.length || typed.length ? 1 : 0;
