// Strict TypeScript checks.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

export const modules = resolve(process.env.CIRCLES_TEST_NODE_MODULES ?? "node_modules");
export const typescript = createRequire(join(modules, "here.js"))("typescript");

export const options = {
  strict: true,
  noEmit: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  exactOptionalPropertyTypes: true,
  // Node.js must be able to strip the types without a compiler.
  erasableSyntaxOnly: true,
  isolatedModules: true,
  verbatimModuleSyntax: true,
  target: typescript.ScriptTarget.ES2022,
  module: typescript.ModuleKind.ES2022,
  moduleResolution: typescript.ModuleResolutionKind.Bundler,
  // The types of browsers and of Node.js must not be needed.
  lib: ["lib.es2022.d.ts"],
  types: [],
};

/** TypeScript's errors for files, each with its place. */
export function complaints(files, more = {}) {
  return typescript.getPreEmitDiagnostics(typescript.createProgram(files, { ...options, ...more })).map((one) => {
    const text = typescript.flattenDiagnosticMessageText(one.messageText, "\n");
    const line = one.file?.getLineAndCharacterOfPosition(one.start ?? 0).line ?? 0;
    return `${one.file?.fileName ?? ""}:${line + 1}: ${text}`;
  });
}
