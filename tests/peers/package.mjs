// The TypeScript client as its users get it: built by its own package.json, in a separate folder.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modules } from "./strict.mjs";

/** Builds the package in `folder`, calls `use` with the folder of the build, and deletes that. */
export async function withPackage(folder, use) {
  const directory = mkdtempSync(join(tmpdir(), "circles-client-"));
  try {
    const filter = (path) => !/node_modules|dist/.test(path.slice(folder.length));
    cpSync(folder, directory, { recursive: true, filter });
    symlinkSync(modules, join(directory, "node_modules"));
    const built = spawnSync(process.execPath, [join(modules, "typescript/bin/tsc"), "--project", "."], {
      cwd: directory,
      encoding: "utf8",
    });
    if (built.status !== 0) throw new Error(`the package does not build:\n${built.stdout}${built.stderr}`);
    return await use(join(directory, "dist"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
