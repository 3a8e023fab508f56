// Logs in to a circle. `docs/protocol.md` describes the challenge.
import type { Authenticated, Circles } from "./circles.ts";

/** A key that can sign. The secret key itself can be elsewhere. */
export interface Key {
  /** The public key: 33 bytes compressed, or their lower-case hex. */
  pubkey: string | Uint8Array;
  /**
   * Signs bytes: ECDSA on secp256k1 over their SHA-256, low-S, as 64 bytes in compact form or as their hex.
   *
   * `(text) => secp256k1.signAsync(text, secret)` with version 3 of the npm package `@noble/secp256k1`.
   */
  sign(challenge: Uint8Array): Signed | Promise<Signed>;
}

/** A signature: 64 bytes, or their lower-case hex. */
export type Signed = string | Uint8Array;

/** The challenge must not be signed: it comes from another server than the intended one, or another server relays it. */
export class ChallengeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ChallengeError";
  }
}

/** How far the clocks of client and server may be apart, in seconds. */
const MAX_CLOCK_SKEW = 300;
/** How long a challenge is valid, in seconds. */
const CHALLENGE_LIFETIME = 60;
const FIELDS = ["circle", "audience", "pubkey", "nonce", "expires"] as const;

/**
 * Logs in: requests a challenge, checks that it is for this circle, this server and this key, and signs it.
 *
 * `circle` is the circle's public key. Without it, the connection's URL names the circle; if neither does, the server chooses.
 */
export async function login(circles: Circles, key: Key, circle?: string): Promise<Authenticated> {
  const pubkey = hex(key.pubkey);
  const { challenge, nonce, expires_at } = await circles.fetchNonce({ pubkey });
  check(challenge, { circle: circle ?? circleOf(circles.url), audience: audienceOf(circles.url), pubkey, nonce, expires_at });
  const signature = hex(await key.sign(new TextEncoder().encode(challenge)));
  return circles.authenticate({ pubkey, signature });
}

interface Expected {
  circle: string | undefined;
  audience: string;
  pubkey: string;
  nonce: string;
  expires_at: number;
}

/** Refuses a challenge for another circle, server or key, or with other lines. */
function check(challenge: string, expected: Expected): void {
  const [version, ...lines] = challenge.split("\n");
  const values = FIELDS.map((name, index) => {
    const line = lines[index] ?? "";
    return line.startsWith(`${name}:`) ? line.slice(name.length + 1) : undefined;
  });
  const [circle, audience, pubkey, nonce, expires] = values;
  if (version !== "circles-auth-v1" || lines.length !== FIELDS.length || values.includes(undefined)) {
    throw new ChallengeError("not a challenge of circles-auth-v1");
  }
  if (expected.circle !== undefined && circle !== expected.circle) {
    throw new ChallengeError(`the challenge is for the circle ${circle}, not for ${expected.circle}`);
  }
  if (audience !== expected.audience) {
    throw new ChallengeError(`the challenge is for ${audience}, but this client connected to ${expected.audience}`);
  }
  if (pubkey !== expected.pubkey) throw new ChallengeError(`the challenge is for the key ${pubkey}, not for this client's`);
  if (nonce !== expected.nonce || expires !== String(expected.expires_at)) {
    throw new ChallengeError("the challenge text does not match the nonce and expiry sent with it");
  }
  const left = Number(expires) - Date.now() / 1000;
  if (!(left > -MAX_CLOCK_SKEW && left < CHALLENGE_LIFETIME + MAX_CLOCK_SKEW)) {
    throw new ChallengeError(`the challenge expires at ${expires} (Unix time), but the local clock shows ${Math.floor(Date.now() / 1000)}; check the clocks`);
  }
}

/** Returns the server of a URL, as challenges name it: scheme and authority, without the scheme's default port. */
function audienceOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol === "https:" || protocol === "wss:" ? "wss" : "ws"}://${host}`;
}

/** Returns the circle that a URL names. */
function circleOf(url: string): string | undefined {
  const path = new URL(url).pathname.replace(/^\/+|\/+$/g, "");
  return path === "" || path === "ws" ? undefined : path;
}

function hex(bytes: string | Uint8Array): string {
  if (typeof bytes === "string") return bytes;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
