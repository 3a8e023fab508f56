// Usage: node connection_typescript.mjs PACKAGE
//
// Tests the TypeScript client with servers that answer badly, late or not at all. CIRCLES_TEST_NODE_MODULES names the
// folder of packages.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { withPackage } from "./package.mjs";
import { modules } from "./strict.mjs";

const { WebSocket, WebSocketServer } = createRequire(join(modules, "here.js"))("ws");

/** A server that calls `answer` with each request and its socket, and sends the result. */
async function server(answer, port = 0) {
  const listening = new WebSocketServer({ host: "127.0.0.1", port });
  await once(listening, "listening");
  const heard = [];
  listening.on("connection", (socket) => {
    socket.on("message", (text) => {
      const request = JSON.parse(text);
      heard.push(request.method);
      const reply = answer(request, socket);
      if (reply !== undefined) socket.send(typeof reply === "string" ? reply : JSON.stringify(reply));
    });
  });
  const close = () => {
    for (const socket of listening.clients) socket.terminate();
    return new Promise((resolve) => listening.close(resolve));
  };
  return { url: `ws://127.0.0.1:${listening.address().port}`, port: listening.address().port, heard, listening, close };
}

const result = (request, result) => ({ jsonrpc: "2.0", id: request.id, result });
const watched = (event) => ({ jsonrpc: "2.0", method: "play_event", params: { subscription: 7, ...event } });
const failure = (promise) => promise.then((value) => assert.fail(`it succeeded: ${JSON.stringify(value)}`), (error) => error);

const tests = {
  async "call after close settles"({ Circles, ConnectionError }) {
    const silent = await server(() => undefined);
    const circles = await Circles.connect(silent.url, { WebSocket, timeoutMs: 0 });
    const early = failure(circles.whoami());
    circles.close();
    for (const error of [await early, await failure(circles.whoami())]) assert(error instanceof ConnectionError, error);
    assert.equal(await circles.closed, undefined);
    assert((await failure(circles.watchPlay({}, assert.fail))) instanceof ConnectionError);
    await silent.close();
  },

  async "call after the server closed settles"({ Circles, ConnectionError }) {
    const closing = await server((request, socket) => void socket.close(4001, "enough"));
    const circles = await Circles.connect(closing.url, { WebSocket, timeoutMs: 0 });
    const error = await failure(circles.whoami());
    assert(error instanceof ConnectionError && /4001 enough/.test(error.message), error);
    assert.equal(await circles.closed, error);
    assert((await failure(circles.whoami())) instanceof ConnectionError);
    await closing.close();
  },

  async "every call has a timeout"({ Circles, TimeoutError }) {
    const silent = await server(() => undefined);
    const { setTimeout } = globalThis;
    const asked = [];
    globalThis.setTimeout = (call, ms, ...rest) => setTimeout(call, asked.push(ms) && ms, ...rest);
    const circles = await Circles.connect(silent.url, { WebSocket });
    const byDefault = failure(circles.whoami());
    const short = failure(circles.whoami({ timeoutMs: 5 }));
    // Timers are set once the call has gone out.
    await Promise.resolve();
    while (asked.length < 3) await new Promise((resolve) => setImmediate(resolve));
    globalThis.setTimeout = setTimeout;
    assert(asked.every((ms) => ms > 0 && ms <= 60_000) && asked.some((ms) => ms > 50_000), asked.join());
    const error = await short;
    assert(error instanceof TimeoutError && /whoami: no answer in [1-5] ms/.test(error.message), error);
    circles.close();
    await byDefault;
    await silent.close();
  },

  async "watcher learns that the connection was lost"({ Circles, ConnectionError }) {
    const dropping = await server((request, socket) => {
      setTimeout(() => socket.terminate(), 5);
      return result(request, 7);
    });
    const circles = await Circles.connect(dropping.url, { WebSocket });
    const told = [];
    const subscription = await circles.watchPlay({}, assert.fail, { onError: (error) => told.push(error) });
    const error = await failure(subscription.ended);
    assert(error instanceof ConnectionError, error);
    assert.deepEqual(told, [error]);
    assert.equal(await subscription.end(), false);
    await dropping.close();
  },

  async "error notification reaches the watcher as an error"({ Circles, RpcError }) {
    const failing = await server((request, socket) => {
      // Before and after the answer that names the subscription.
      socket.send(JSON.stringify(watched({ result: "early" })));
      setTimeout(() => socket.send(JSON.stringify(watched({ error: { code: -32050, message: "gone" } }))), 1);
      return result(request, 7);
    });
    const circles = await Circles.connect(failing.url, { WebSocket });
    const heard = [];
    const subscription = await circles.watchPlay({}, (item) => heard.push(item));
    const error = await failure(subscription.ended);
    assert(error instanceof RpcError && error.code === -32050 && error.message === "gone", error);
    assert.deepEqual(heard, ["early"]);
    circles.close();
    await failing.close();
  },

  async "error without an id fails the calls under way"({ Circles, RpcError }) {
    const puzzled = await server(() => ({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "parse error" } }));
    const circles = await Circles.connect(puzzled.url, { WebSocket, timeoutMs: 0 });
    const error = await failure(circles.whoami());
    assert(error instanceof RpcError && error.code === -32700, error);
    circles.close();
    await puzzled.close();
  },

  async "answers that are not JSON-RPC end the connection or nothing"({ Circles, ConnectionError, TimeoutError }) {
    for (const [text, kind] of [["{", ConnectionError], ["null", TimeoutError], ["[7]", TimeoutError], ["{}", TimeoutError]]) {
      const odd = await server(() => text);
      const circles = await Circles.connect(odd.url, { WebSocket });
      const error = await failure(circles.whoami(kind === TimeoutError ? { timeoutMs: 20 } : {}));
      assert(error instanceof kind, `${text}: ${error}`);
      circles.close();
      await odd.close();
    }
  },

  async "subscription that is named too late is ended"({ Circles, TimeoutError }) {
    let name;
    const slow = await server((request, socket) => {
      if (request.method === "watch_play") name = () => socket.send(JSON.stringify(result(request, 7)));
      else return result(request, true);
    });
    const circles = await Circles.connect(slow.url, { WebSocket });
    assert((await failure(circles.watchPlay({}, assert.fail, { timeoutMs: 5 }))) instanceof TimeoutError);
    name();
    while (!slow.heard.includes("unwatch_play")) await circles.whoami();
    circles.close();
    await slow.close();
  },

  async "watcher that throws is ended and others go on"({ Circles }) {
    const lively = await server((request, socket) => {
      if (request.method !== "watch_play") return result(request, true);
      setTimeout(() => [1, 2].forEach((n) => socket.send(JSON.stringify(watched({ result: n })))), 1);
      return result(request, 7);
    });
    const circles = await Circles.connect(lively.url, { WebSocket });
    const heard = [];
    const subscription = await circles.watchPlay({}, (item) => {
      heard.push(item);
      throw new Error("no more");
    });
    assert.equal((await failure(subscription.ended)).message, "no more");
    await circles.whoami();
    assert.deepEqual([heard, lively.heard.includes("unwatch_play")], [[1], true]);
    circles.close();
    await lively.close();
  },

  async "nothing is heard after the end"({ Circles }) {
    const lively = await server((request, socket) => {
      if (request.method === "unwatch_play") socket.send(JSON.stringify(watched({ result: "late" })));
      return result(request, request.method === "watch_play" ? 7 : true);
    });
    const circles = await Circles.connect(lively.url, { WebSocket });
    const subscription = await circles.watchPlay({}, assert.fail);
    assert.equal(await subscription.end(), true);
    await subscription.ended;
    assert.equal(await subscription.end(), false);
    circles.close();
    await lively.close();
  },

  async "client connects again on request"({ Circles, ConnectionError }) {
    const answer = (request) => (request.method === "play" ? undefined : result(request, request.method));
    const first = await server(answer);
    let opened = 0;
    const onConnect = async (line) => {
      assert.equal(await line.scripts(), "scripts");
      opened += 1;
    };
    const circles = await Circles.connect(first.url, { WebSocket, reconnect: true, onConnect });
    const underWay = failure(circles.play({ script: "1" }));
    await circles.whoami();
    await first.close();
    assert((await underWay) instanceof ConnectionError);
    const waiting = circles.whoami();
    const second = await server(answer, first.port);
    assert.equal(await waiting, "whoami");
    assert.equal(opened, 2);
    assert.deepEqual(second.heard, ["scripts", "whoami"]);
    circles.close();
    assert.equal(await circles.closed, undefined);
    await second.close();
  },

  async "client that waits for a connection gives up in time"({ Circles, TimeoutError, ConnectionError }) {
    const first = await server(() => undefined);
    const circles = await Circles.connect(first.url, { WebSocket, reconnect: true });
    const underWay = failure(circles.whoami());
    await first.close();
    await underWay;
    const error = await failure(circles.whoami({ timeoutMs: 20 }));
    assert(error instanceof TimeoutError && /no connection in 20 ms/.test(error.message), error);
    const waiting = failure(circles.whoami());
    circles.close();
    assert((await waiting) instanceof ConnectionError);
  },

  async "connection that fails says why"({ Circles, ConnectionError }) {
    const gone = await server(() => undefined);
    await gone.close();
    const error = await failure(Circles.connect(gone.url, { WebSocket }));
    assert(error instanceof ConnectionError && /ECONNREFUSED/.test(error.message), error);
    const open = await server(() => undefined);
    const onConnect = () => Promise.reject(new Error("not in"));
    assert.equal((await failure(Circles.connect(open.url, { WebSocket, onConnect }))).message, "not in");
    while (open.listening.clients.size > 0) await new Promise((resolve) => setImmediate(resolve));
    await open.close();
  },

  async "login checks the challenge before it signs"({ ChallengeError, Circles, login }) {
    const [circle, pubkey, nonce] = [`02${"a".repeat(64)}`, `03${"b".repeat(64)}`, "c".repeat(64)];
    const now = Math.floor(Date.now() / 1000);
    let challenge;
    let fields;
    const relay = await server((request) => {
      if (request.method === "fetch_nonce") return result(request, { challenge: challenge(), ...fields });
      return result(request, { authenticated: true, expires_at: now });
    });
    const text = (change = {}) => {
      const said = { version: "circles-auth-v1", circle, audience: relay.url, pubkey, nonce, expires: now + 60, ...change };
      const { version, ...lines } = said;
      return [version, ...Object.entries(lines).map(([name, value]) => `${name}:${value}`)].join("\n");
    };
    const attempt = async (change, others = {}) => {
      challenge = () => (typeof change === "string" ? change : text(change));
      fields = { nonce, expires_at: now + 60, ...others };
      const circles = await Circles.connect(`${relay.url}/${circle}`, { WebSocket });
      const signed = [];
      const sign = (bytes) => signed.push(new TextDecoder().decode(bytes)) && new Uint8Array(64);
      try {
        await login(circles, { pubkey, sign });
      } finally {
        circles.close();
      }
      return signed;
    };
    assert.deepEqual(await attempt({}), [text()]);
    for (const [change, others] of [
      [{ circle: `02${"d".repeat(64)}` }],
      [{ audience: "wss://elsewhere.example" }],
      [{ pubkey: `03${"d".repeat(64)}` }],
      [{ nonce: "d".repeat(64) }],
      [{ expires: now + 61 }],
      [{ expires: now + 4000 }, { expires_at: now + 4000 }],
      [{ expires: now - 4000 }, { expires_at: now - 4000 }],
      [{ version: "circles-auth-v2" }],
      [{ more: 1 }],
      [`${text()}\n`],
      [text().replaceAll("\n", "\r\n")],
      [""],
    ]) {
      const before = relay.heard.filter((method) => method === "authenticate").length;
      const error = await failure(attempt(change, others));
      assert(error instanceof ChallengeError, `${JSON.stringify(change)}: ${error}`);
      assert.equal(relay.heard.filter((method) => method === "authenticate").length, before);
    }
    await relay.close();
  },
};

await withPackage(process.argv[2], async (dist) => {
  const client = await import(pathToFileURL(join(dist, "index.js")).href);
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test(client);
    } catch (error) {
      console.error(`${name}: ${error.stack}`);
      process.exitCode = 1;
    }
  }
});
console.log(`${Object.keys(tests).length} tests`);
