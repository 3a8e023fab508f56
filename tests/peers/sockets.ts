// Every common WebSocket class fits the client.
import WS, { WebSocket as FromWs } from "ws";
import { Circles, type SocketConstructor } from "../../client/typescript/circles.ts";

const sockets: SocketConstructor[] = [WS, FromWs, globalThis.WebSocket];

export const all = sockets.map((WebSocket) => Circles.connect("ws://127.0.0.1:9001", { WebSocket }));
export const short = Circles.connect("ws://127.0.0.1:9001", { WebSocket: FromWs });
export const own = Circles.connect("ws://127.0.0.1:9001");
