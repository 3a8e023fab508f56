// Usage: node play_typescript.mjs CIRCLES.TS URL SCRIPT
//
// Holds the generated client against the strict checks of TypeScript, then logs in with it and plays. Prints the
// play's output, then the log lines that a watched play tells of. CIRCLES_TEST_NODE_MODULES says where packages lie.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { complaints, modules, options, typescript } from "./strict.mjs";

const { WebSocket } = createRequire(join(modules, "here.js"))("ws");
const secp256k1 = await import(pathToFileURL(join(modules, "@noble/secp256k1/index.js")).href);

const [file, url, script] = process.argv.slice(2);

/** The client as a module that node runs, once TypeScript has nothing to say against it. */
async function client(file) {
  const found = complaints([file]);
  if (found.length > 0) throw new Error(found.join("\n"));
  const { outputText } = typescript.transpileModule(readFileSync(file, "utf8"), { compilerOptions: options });
  const directory = mkdtempSync(join(tmpdir(), "circles-client-"));
  try {
    const path = join(directory, "circles.mjs");
    writeFileSync(path, outputText);
    return await import(pathToFileURL(path).href);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const { Circles, RpcError, codes } = await client(file);
const circles = await Circles.connect(url, { WebSocket, timeoutMs: 60_000 });
try {
  const refused = await circles.play({ script }).catch((error) => error);
  if (!(refused instanceof RpcError && refused.code === codes.UNAUTHENTICATED)) {
    throw new Error(`a play without a login: ${JSON.stringify(refused)}`);
  }
  const secret = secp256k1.utils.randomSecretKey();
  const pubkey = Buffer.from(secp256k1.getPublicKey(secret, true)).toString("hex");
  const { challenge } = await circles.fetchNonce({ pubkey });
  const digest = createHash("sha256").update(challenge).digest();
  const signature = Buffer.from(await secp256k1.signAsync(digest, secret, { prehash: false })).toString("hex");
  await circles.authenticate({ pubkey, signature });
  console.log((await circles.play({ script })).output);

  await new Promise((resolve, reject) => {
    const heard = (event) => {
      if (event.event === "logged") console.log(event.line.text);
      if (event.event === "ended") resolve();
    };
    circles.watchPlay({ script: `print("seen"); ${script}` }, heard).catch(reject);
  });
} finally {
  circles.close();
}
