// Proves to a circle who the caller is. `docs/protocol.md` describes the challenge.
import type { Authenticated, Circles } from "./circles.ts";

/** A key that can sign, wherever its secret half is. */
export interface Key {
  /** The public key: 33 bytes compressed, as they are or in lower-case hex. */
  pubkey: string | Uint8Array;
  /**
   * Signs a text, given as its bytes: ECDSA on secp256k1 over their SHA-256, low-S, as 64 bytes in the compact form or as their hex.
   *
   * `(text) => secp256k1.signAsync(text, secret)` with version 3 of the npm package `@noble/secp256k1`.
   */
  sign(challenge: Uint8Array): Signed | Promise<Signed>;
}

/** A signature: 64 bytes, as they are or in lower-case hex. */
export type Signed = string | Uint8Array;

/** A challenge that must not be signed. The server is not the one that was meant, or another one relays it. */
export class ChallengeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ChallengeError";
  }
}

/** How far the clocks of client and server may be apart, in seconds, and how long a challenge lives. */
const SKEW = 300;
const LIFETIME = 60;
const FIELDS = ["circle", "audience", "pubkey", "nonce", "expires"] as const;

/**
 * Logs in: asks for a challenge, checks that it is for this circle, this server and this key, and signs it.
 *
 * `circle` is the circle that is meant, by its public key. Without it, the URL of the connection says it; if that names none either, the server's choice is taken.
 */
export async function login(circles: Circles, key: Key, circle?: string): Promise<Authenticated> {
  const pubkey = hex(key.pubkey);
  const { challenge, nonce, expires_at } = await circles.fetchNonce({ pubkey });
  check(challenge, { circle: circle ?? circleOf(circles.url), audience: audienceOf(circles.url), pubkey, nonce, expires_at });
  const signature = hex(await key.sign(new TextEncoder().encode(challenge)));
  return circles.authenticate({ pubkey, signature });
}

interface Meant {
  circle: string | undefined;
  audience: string;
  pubkey: string;
  nonce: string;
  expires_at: number;
}

/** Refuses a challenge that is for somebody or something else, or that has any other line. */
function check(challenge: string, meant: Meant): void {
  const [version, ...lines] = challenge.split("\n");
  const values = FIELDS.map((name, index) => {
    const line = lines[index] ?? "";
    return line.startsWith(`${name}:`) ? line.slice(name.length + 1) : undefined;
  });
  const [circle, audience, pubkey, nonce, expires] = values;
  if (version !== "circles-auth-v1" || lines.length !== FIELDS.length || values.includes(undefined)) {
    throw new ChallengeError("this is no challenge of circles-auth-v1");
  }
  if (meant.circle !== undefined && circle !== meant.circle) {
    throw new ChallengeError(`the challenge is for the circle ${circle}, not for ${meant.circle}`);
  }
  if (audience !== meant.audience) {
    throw new ChallengeError(`the challenge is for ${audience}, but the connection leads to ${meant.audience}`);
  }
  if (pubkey !== meant.pubkey) throw new ChallengeError(`the challenge is for the key ${pubkey}, not for this one`);
  if (nonce !== meant.nonce || expires !== String(meant.expires_at)) {
    throw new ChallengeError("the challenge says something else than the fields beside it");
  }
  const left = Number(expires) - Date.now() / 1000;
  if (!(left > -SKEW && left < LIFETIME + SKEW)) {
    throw new ChallengeError(`the challenge expires at ${expires} (Unix time); is the clock right?`);
  }
}

/** The server of a URL, as challenges name it: scheme and authority, the port unless it is the scheme's own. */
function audienceOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol === "https:" || protocol === "wss:" ? "wss" : "ws"}://${host}`;
}

/** The circle that a URL names. */
function circleOf(url: string): string | undefined {
  const path = new URL(url).pathname.replace(/^\/+|\/+$/g, "");
  return path === "" || path === "ws" ? undefined : path;
}

function hex(bytes: string | Uint8Array): string {
  if (typeof bytes === "string") return bytes;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
