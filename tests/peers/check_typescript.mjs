// Usage: node check_typescript.mjs [--sockets] FILE...
//
// Prints what the strict checks of TypeScript have against files; with --sockets, beside the types of browsers, of
// Node.js and of the npm package ws. CIRCLES_TEST_NODE_MODULES says where packages lie.
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
