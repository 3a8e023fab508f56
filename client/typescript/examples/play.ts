// Logs in and plays a script: node examples/play.ts URL SCRIPT
import { utils, getPublicKey, signAsync } from "@noble/secp256k1";
import { WebSocket } from "ws";
import { Circles, login } from "../index.ts";

const [url = "ws://127.0.0.1:9001", script = "40 + 2"] = process.argv.slice(2);
const secret = utils.randomSecretKey();
const key = { pubkey: getPublicKey(secret), sign: (text: Uint8Array) => signAsync(text, secret) };

const circles = await Circles.connect(url, {
  WebSocket, // Browsers, and Node.js from version 22 on, have their own.
  reconnect: true,
  onConnect: (circles) => login(circles, key),
});
const { value } = await circles.play({ script });
console.log(value);

// Prints the script's log lines as they arrive, and waits for its end.
const ended = new Promise<void>((resolve, reject) => {
  const onEvent = (event: { event: string; line?: { text: string } }) => {
    if (event.event === "logged") console.log(event.line?.text);
    if (event.event === "ended") resolve();
  };
  circles.watchPlay({ script: `print("seen"); ${script}` }, onEvent, { onError: reject }).catch(reject);
});
await ended;
circles.close();
