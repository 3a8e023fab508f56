// Usage: node check_typescript.mjs [--sockets] FILE...
//
// Prints the errors of strict TypeScript checks for files; with --sockets, the types of browsers, Node.js and the npm
// package ws are present. CIRCLES_TEST_NODE_MODULES names the folder of packages.
import { join } from "node:path";
import { complaints, modules } from "./strict.mjs";

const files = process.argv.slice(2).filter((file) => file !== "--sockets");
const sockets = {
  allowImportingTsExtensions: true,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
  types: ["node"],
  typeRoots: [join(modules, "@types")],
  paths: { ws: [join(modules, "@types/ws/index.d.mts")] },
};
const found = complaints(files, files.length === process.argv.length - 2 ? {} : sockets);
console.log(found.join("\n"));
process.exitCode = found.length > 0 ? 1 : 0;
