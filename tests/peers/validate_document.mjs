// Usage: node validate_document.mjs FILE
//
// Holds an OpenRPC document against the official meta-schema and resolves its references. Prints `valid`, or what is
// wrong to standard error with exit code 1. CIRCLES_TEST_NODE_MODULES says where the packages lie.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const modules = process.env.CIRCLES_TEST_NODE_MODULES ?? "node_modules";
const openrpc = createRequire(resolve(modules, "here.js"))("@open-rpc/schema-utils-js");

/** What the meta-schema says, in one line a fault. */
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
