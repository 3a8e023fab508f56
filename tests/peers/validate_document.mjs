// Usage: node validate_document.mjs FILE
//
// Validates an OpenRPC document by the official meta-schema and resolves its references. Prints `valid`, or faults to
// standard error with exit code 1. CIRCLES_TEST_NODE_MODULES names the folder of packages.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const modules = process.env.CIRCLES_TEST_NODE_MODULES ?? "node_modules";
const openrpc = createRequire(resolve(modules, "here.js"))("@open-rpc/schema-utils-js");

/** The faults by the meta-schema, one per line. */
function faults(document) {
  const found = openrpc.validateOpenRPCDocument(document);
  if (found === true) return [];
  const list = JSON.parse(found.message.slice(found.message.indexOf("\n[")));
  return list.map((fault) => `${fault.dataPath || "the document"} ${fault.message} ${JSON.stringify(fault.params)}`);
}

async function check(file) {
  const document = JSON.parse(readFileSync(file, "utf8"));
  const found = faults(document);
  if (found.length === 0) {
    await openrpc.dereferenceDocument(structuredClone(document), openrpc.defaultResolver);
  }
  return found;
}

try {
  const found = await check(process.argv[2]);
  if (found.length > 0) throw new Error(found.join("\n"));
  console.log("valid");
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
