// Usage: node play_typescript.mjs PACKAGE URL SCRIPT
//
// Builds the package of the TypeScript client with the strict checks of TypeScript and runs its example, which logs in
// and plays. Then uses the client without a login. CIRCLES_TEST_NODE_MODULES names the folder of packages.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { withPackage } from "./package.mjs";
import { modules } from "./strict.mjs";

const { WebSocket } = createRequire(join(modules, "here.js"))("ws");
const [folder, url, script] = process.argv.slice(2);

await withPackage(folder, async (dist) => {
  const example = spawnSync(process.execPath, [join(dist, "examples/play.js"), url, script], { stdio: "inherit" });
  if (example.status !== 0) throw new Error(`the example ended with ${example.status}`);

  const { Circles, RpcError, codes } = await import(pathToFileURL(join(dist, "index.js")).href);
  const circles = await Circles.connect(url, { WebSocket });
  const refused = await circles.play({ script }).catch((error) => error);
  if (!(refused instanceof RpcError && refused.code === codes.UNAUTHENTICATED)) {
    throw new Error(`a play without a login: ${JSON.stringify(refused)}`);
  }
  circles.close();
});
