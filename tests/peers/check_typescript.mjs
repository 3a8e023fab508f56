// Usage: node check_typescript.mjs FILE...
//
// Prints what the strict checks of TypeScript have against files. CIRCLES_TEST_NODE_MODULES says where packages lie.
import { complaints } from "./strict.mjs";

const found = complaints(process.argv.slice(2));
console.log(found.join("\n"));
process.exitCode = found.length > 0 ? 1 : 0;
