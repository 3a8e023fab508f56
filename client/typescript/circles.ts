// Circles 0.1.0

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [member: string]: Json | undefined };

/** The server answered with an error object. */
export class RpcError extends Error {
  /** One of `codes`, or a code of the JSON-RPC standard. */
  readonly code: number;
  /** The error object's `data`. */
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
  }
}

/** There is no connection, or it was lost. The server may have carried out a call in flight. */
export class ConnectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConnectionError";
  }
}

/** No answer came in time. The server may have carried out the call. */
export class TimeoutError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TimeoutError";
  }
}

/** Options of a client. */
export interface ConnectOptions<Client> {
  /** How long calls wait for an answer by default, in milliseconds: 60,000 unless set; 0 for no limit. */
  timeoutMs?: number | undefined;
  /** The `WebSocket` class to use, such as that of the npm package `ws`, if the platform has none of its own. */
  WebSocket?: SocketConstructor | undefined;
  /**
   * Whether to reconnect after a lost connection.
   *
   * Calls and subscriptions in flight fail nevertheless, because the server may have carried them out. Calls made without a connection wait for the next one, up to their timeout.
   */
  reconnect?: boolean | undefined;
  /** Called with each new connection before other calls use it, for example to log in. If it fails, the connection closes. */
  onConnect?: ((client: Client) => unknown) | undefined;
}

/** Options of a call. */
export interface CallOptions {
  /** How long to wait for the answer, in milliseconds; 0 for no limit. */
  timeoutMs?: number | undefined;
}

/** Options of a subscription. */
export interface SubscribeOptions extends CallOptions {
  /** Called once if the connection was lost or the server sent an error; not after `end()`. */
  onError?: ((error: Error) => void) | undefined;
}

/** An active subscription. */
export interface Subscription {
  /** The subscription's id in the protocol. */
  readonly id: number | string;
  /** Resolves after the last item; rejects if the connection was lost or the server sent an error. */
  readonly ended: Promise<void>;
  /** Ends the subscription; no item arrives afterwards. Returns false if the server no longer had it. */
  end(): Promise<boolean>;
}

/** The part of a WebSocket that the client needs. Those of browsers, of Node.js and of the npm package `ws` fit. */
export interface Socket {
  readonly readyState: number;
  send(text: string): void;
  close(): void;
  // Each platform has its own event types.
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: any) => void): void;
}

/** A `WebSocket` class. */
export type SocketConstructor = new (url: string) => Socket;

/** The part of the platform that the client needs, so that it depends neither on the types of browsers nor of Node.js. */
interface Platform {
  readonly WebSocket?: SocketConstructor;
  setTimeout(call: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

const platform = globalThis as unknown as Platform;
/** The `readyState` of an open socket. */
const OPEN = 1;
const DEFAULT_TIMEOUT_MS = 60_000;
/** The longest delay of a timer. */
const MAX_TIMER_MS = 0x7fff_ffff;
/** The first and the longest wait before reconnecting. */
const INITIAL_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
/** How many notifications the client keeps until an answer names their subscription. */
const MAX_EARLY_NOTIFICATIONS = 1_000;

function nothing(): void {}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function rpcErrorOf(found: unknown): RpcError {
  const { code, message, data } = Object(found) as { code?: unknown; message?: unknown; data?: unknown };
  const text = typeof message === "string" ? message : JSON.stringify(found);
  return new RpcError(typeof code === "number" ? code : 0, text ?? "an error without a message", data);
}

/** Calls `call` after a delay, unless the returned function cancels it. */
function after(ms: number, call: () => void): () => void {
  if (ms <= 0) return nothing;
  const timer = platform.setTimeout(call, Math.min(ms, MAX_TIMER_MS));
  return () => platform.clearTimeout(timer);
}

/** Sends calls: over one socket, or over one after another. */
interface Transport {
  readonly closed: Promise<Error | undefined>;
  call(method: string, params: unknown, options: CallOptions | undefined): Promise<unknown>;
  notify(method: string, params: unknown): Promise<void>;
  subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    onItem: (item: unknown) => void,
    options: SubscribeOptions | undefined,
  ): Promise<Subscription>;
  close(): void;
}

interface PendingCall {
  settle(result: unknown): void;
  fail(error: Error): void;
}

interface Listener {
  receive(item: unknown): void;
  fail(error: Error): void;
}

/** Sends calls over one socket. */
class SocketTransport implements Transport {
  readonly opened: Promise<void>;
  readonly closed: Promise<Error | undefined>;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, PendingCall>();
  readonly #listeners = new Map<string, Listener>();
  /** The number of subscribe calls in flight, and the notifications that arrived before their answers. */
  #subscribing = 0;
  #early: Array<[string, (listener: Listener) => void]> = [];
  #nextId = 1;
  #failure: Error | undefined;
  #resolveClosed: (reason: Error | undefined) => void = nothing;

  constructor(url: string, Socket: SocketConstructor, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#socket = new Socket(url);
    this.opened = new Promise((resolve, reject) => {
      const late = new TimeoutError(`no connection to ${url} in ${timeoutMs} ms`);
      const stop = after(timeoutMs, () => this.#fail(late));
      this.#socket.addEventListener("open", () => {
        stop();
        resolve();
      });
      void this.closed.then((reason) => {
        stop();
        reject(reason ?? this.#failure);
      });
    });
    this.opened.catch(nothing);
    this.#socket.addEventListener("message", (event) => this.#receive(String(event.data)));
    this.#socket.addEventListener("error", (event) => {
      const detail = typeof event?.message === "string" && event.message !== "" ? `: ${event.message}` : "";
      this.#fail(new ConnectionError(`the connection to ${url} failed${detail}`));
    });
    this.#socket.addEventListener("close", (event) => {
      const detail = [event?.code, event?.reason].filter(Boolean).join(" ");
      this.#fail(new ConnectionError(`the server closed the connection${detail && ` (${detail})`}`));
    });
  }

  close(): void {
    this.#fail(new ConnectionError("the connection is closed"), true);
  }

  call(method: string, params: unknown, options?: CallOptions): Promise<unknown> {
    return this.#request(method, params, options?.timeoutMs ?? this.#timeoutMs);
  }

  async notify(method: string, params: unknown): Promise<void> {
    this.#send({ jsonrpc: "2.0", method, params });
  }

  async subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    onItem: (item: unknown) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    // Ends a subscription whose answer arrives after the timeout; otherwise the server would send items for ever.
    const late = (id: unknown) => void this.call(unsubscribe, [id]).catch(nothing);
    this.#subscribing += 1;
    try {
      const id = (await this.#request(method, params, options?.timeoutMs ?? this.#timeoutMs, late)) as number | string;
      if (this.#failure) throw this.#failure;
      return this.#addListener(JSON.stringify([notification, id]), id, unsubscribe, onItem, options);
    } finally {
      this.#subscribing -= 1;
      if (this.#subscribing === 0) this.#early = [];
    }
  }

  #addListener(
    key: string,
    id: number | string,
    unsubscribe: string,
    onItem: (item: unknown) => void,
    options: SubscribeOptions | undefined,
  ): Subscription {
    let settle: (error?: Error) => void = nothing;
    const ended = new Promise<void>((resolve, reject) => {
      settle = (error) => (error ? reject(error) : resolve());
    });
    ended.catch(nothing);
    const fail = (error: Error) => {
      if (!this.#listeners.delete(key) && !this.#failure) return;
      settle(error);
      // Asynchronously, so that an exception of the callback does not disturb the client.
      if (options?.onError) void Promise.resolve(error).then(options.onError);
    };
    const receive = (item: unknown) => {
      try {
        onItem(item);
      } catch (thrown) {
        void this.call(unsubscribe, [id]).catch(nothing);
        fail(errorOf(thrown));
      }
    };
    const end = async () => {
      if (!this.#listeners.delete(key)) return false;
      settle();
      return (await this.call(unsubscribe, [id])) === true;
    };
    this.#listeners.set(key, { receive, fail });
    const early = this.#early.filter(([of]) => of === key);
    this.#early = this.#early.filter(([of]) => of !== key);
    early.forEach(([, deliver]) => this.#deliver(key, deliver));
    return { id, ended, end };
  }

  #request(method: string, params: unknown, timeoutMs: number, late?: (result: unknown) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      let stop: () => void = nothing;
      const remove = () => {
        stop();
        this.#pending.delete(id);
      };
      const fail = (error: Error) => {
        remove();
        reject(error);
      };
      const settle = (result: unknown) => {
        remove();
        resolve(result);
      };
      this.#pending.set(id, { settle, fail });
      try {
        this.#send({ jsonrpc: "2.0", id, method, params });
      } catch (thrown) {
        fail(errorOf(thrown));
        return;
      }
      stop = after(timeoutMs, () => {
        fail(new TimeoutError(`${method}: no answer in ${timeoutMs} ms`));
        if (late) {
          const settle = (result: unknown) => {
            this.#pending.delete(id);
            late(result);
          };
          this.#pending.set(id, { settle, fail: () => this.#pending.delete(id) });
        }
      });
    });
  }

  #send(message: unknown): void {
    if (this.#failure) throw this.#failure;
    // A closing socket would drop the message silently.
    if (this.#socket.readyState !== OPEN) throw new ConnectionError("the connection is not open");
    this.#socket.send(JSON.stringify(message));
  }

  #receive(text: string): void {
    if (this.#failure) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#fail(new ConnectionError("the server sent a message that is not JSON"));
      return;
    }
    (Array.isArray(message) ? message : [message]).forEach((one) => this.#handle(one));
  }

  #handle(message: unknown): void {
    const { id, method, params, result, error } = Object(message) as {
      id?: unknown;
      method?: unknown;
      params?: unknown;
      result?: unknown;
      error?: unknown;
    };
    if (typeof method === "string") {
      const event = Object(params) as { subscription?: unknown; result?: unknown; error?: unknown };
      const failed = event.error !== undefined && event.error !== null;
      const deliver = (listener: Listener) =>
        failed ? listener.fail(rpcErrorOf(event.error)) : listener.receive(event.result);
      this.#deliver(JSON.stringify([method, event.subscription]), deliver);
      return;
    }
    const failed = error !== undefined && error !== null;
    if (typeof id === "number") {
      const pending = this.#pending.get(id);
      if (failed) pending?.fail(rpcErrorOf(error));
      else pending?.settle(result);
    } else if (failed) {
      // The server could not read the call's id, so any call may be meant.
      [...this.#pending.values()].forEach((pending) => pending.fail(rpcErrorOf(error)));
    }
  }

  #deliver(key: string, deliver: (listener: Listener) => void): void {
    const listener = this.#listeners.get(key);
    if (listener) deliver(listener);
    else if (this.#subscribing > 0 && this.#early.length < MAX_EARLY_NOTIFICATIONS) this.#early.push([key, deliver]);
  }

  #fail(error: Error, byCaller = false): void {
    if (this.#failure) return;
    this.#failure = error;
    const affected = [...this.#pending.values(), ...this.#listeners.values()];
    this.#pending.clear();
    this.#listeners.clear();
    this.#early = [];
    try {
      this.#socket.close();
    } catch {
      // The socket was never open.
    }
    this.#resolveClosed(byCaller ? undefined : error);
    affected.forEach((one) => one.fail(error));
  }
}

/** Sends calls over one socket after another, if the client reconnects. */
class ReconnectingTransport<Client> implements Transport {
  readonly closed: Promise<Error | undefined>;
  readonly #url: string;
  readonly #options: ConnectOptions<Client>;
  readonly #client: (transport: Transport) => Client;
  readonly #timeoutMs: number;
  /** The newest transport, even before it is open. */
  #current: SocketTransport | undefined;
  /** The next transport, while there is none. */
  #next: Promise<SocketTransport> | undefined;
  #lastError: Error | undefined;
  #finalError: Error | undefined;
  #resolveClosed: (reason: Error | undefined) => void = nothing;
  #wakeUp: () => void = nothing;

  constructor(url: string, options: ConnectOptions<Client>, client: (transport: Transport) => Client) {
    this.#url = url;
    this.#options = options;
    this.#client = client;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  async open(): Promise<SocketTransport> {
    const Socket = this.#options.WebSocket ?? platform.WebSocket;
    if (!Socket) throw new ConnectionError("this platform has no WebSocket; pass one in the options");
    const transport = new SocketTransport(this.#url, Socket, this.#timeoutMs);
    this.#current = transport;
    try {
      await transport.opened;
      await this.#options.onConnect?.(this.#client(transport));
    } catch (thrown) {
      transport.close();
      throw thrown;
    }
    this.#next = undefined;
    this.#watchForClose(transport);
    return transport;
  }

  close(): void {
    this.#end(new ConnectionError("the connection is closed"), true);
  }

  async call(method: string, params: unknown, options: CallOptions | undefined): Promise<unknown> {
    const start = Date.now();
    const timeoutMs = options?.timeoutMs ?? this.#timeoutMs;
    const transport = await this.#ready(method, timeoutMs);
    return transport.call(method, params, { timeoutMs: remaining(timeoutMs, start) });
  }

  async notify(method: string, params: unknown): Promise<void> {
    return (await this.#ready(method, this.#timeoutMs)).notify(method, params);
  }

  async subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    onItem: (item: unknown) => void,
    options: SubscribeOptions | undefined,
  ): Promise<Subscription> {
    const start = Date.now();
    const timeoutMs = options?.timeoutMs ?? this.#timeoutMs;
    const transport = await this.#ready(method, timeoutMs);
    const rest = { ...options, timeoutMs: remaining(timeoutMs, start) };
    return transport.subscribe(method, notification, unsubscribe, params, onItem, rest);
  }

  /** Returns the current transport, or the next one if it opens in time. */
  #ready(method: string, timeoutMs: number): Promise<SocketTransport> {
    if (this.#finalError) return Promise.reject(this.#finalError);
    const [transport, next] = [this.#current, this.#next];
    if (transport && !next) return Promise.resolve(transport);
    return new Promise((resolve, reject) => {
      const stop = after(timeoutMs, () => {
        const reason = this.#lastError ? `: ${this.#lastError.message}` : "";
        reject(new TimeoutError(`${method}: no connection in ${timeoutMs} ms${reason}`));
      });
      void (next ?? this.open()).then(resolve, reject).finally(stop);
    });
  }

  #watchForClose(transport: SocketTransport): void {
    void transport.closed.then((reason) => {
      if (this.#finalError) return;
      const error = reason ?? new ConnectionError("the connection is closed");
      if (!this.#options.reconnect) {
        this.#end(error, false);
        return;
      }
      this.#lastError = error;
      this.#next = this.#reconnect();
      this.#next.catch(nothing);
    });
  }

  async #reconnect(): Promise<SocketTransport> {
    for (let backoff = INITIAL_BACKOFF_MS; ; backoff = Math.min(2 * backoff, MAX_BACKOFF_MS)) {
      if (this.#finalError) throw this.#finalError;
      // Jitter, so that clients that lost their connections together do not reconnect together.
      await this.#sleep(backoff * (0.5 + Math.random() / 2));
      if (this.#finalError) throw this.#finalError;
      try {
        return await this.open();
      } catch (thrown) {
        this.#lastError = errorOf(thrown);
      }
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = after(ms, resolve);
      this.#wakeUp = () => {
        stop();
        resolve();
      };
    });
  }

  #end(reason: Error, byCaller: boolean): void {
    if (this.#finalError) return;
    this.#finalError = reason;
    this.#current?.close();
    this.#wakeUp();
    this.#resolveClosed(byCaller ? undefined : reason);
  }
}

/** Returns the rest of a timeout, at least 1 ms, since 0 means no limit. */
function remaining(timeoutMs: number, start: number): number {
  return timeoutMs <= 0 ? 0 : Math.max(1, timeoutMs - (Date.now() - start));
}

/** JSON-RPC 2.0 over a WebSocket. */
export class Connection {
  /** The server's URL. */
  readonly url: string;
  readonly #transport: Transport;

  protected constructor(url: string, transport: Transport) {
    this.url = url;
    this.#transport = transport;
  }

  /** Resolves when the client has closed for good: with the error, or with nothing after `close()`. */
  get closed(): Promise<Error | undefined> {
    return this.#transport.closed;
  }

  /** Closes the connection. Calls and subscriptions in flight fail, and so does every later call. */
  close(): void {
    this.#transport.close();
  }

  protected call(method: string, params: unknown, options: CallOptions | undefined): Promise<unknown> {
    return this.#transport.call(method, params, options);
  }

  protected notify(method: string, params: unknown): Promise<void> {
    return this.#transport.notify(method, params);
  }

  protected subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    onItem: (item: unknown) => void,
    options: SubscribeOptions | undefined,
  ): Promise<Subscription> {
    return this.#transport.subscribe(method, notification, unsubscribe, params, onItem, options);
  }
}

/** A session that was opened. */
export interface Authenticated {
  /** Always true; a refusal is an error. */
  authenticated: boolean;
  /** A point in time, in seconds since 1970-01-01T00:00:00Z. */
  expires_at: UnixSeconds;
}

/** The caller: a public key; `webhook:` and a provider's name; empty for an anonymous caller. */
export type Caller = string;

/** The result of a cancellation. */
export interface Cancellation {
  /** Whether this call ended the task. */
  cancelled: boolean;
}

/** Data of a cancelled play. */
export interface CancelledData {
  /** The script's log lines, in order; absent if it logged nothing. */
  logs?: Array<LogLine>;
}

/** The text to sign, and its expiry. */
export interface Challenge {
  /** The exact text to sign: `circles-auth-v1` and the fields `circle`, `audience`, `pubkey`, `nonce` and `expires`, each `name:value`, joined by line feeds. */
  challenge: string;
  /** A point in time, in seconds since 1970-01-01T00:00:00Z. */
  expires_at: UnixSeconds;
  /** 32 random bytes, lower-case hex. */
  nonce: Nonce;
}

/** An OpenRPC document. */
export type Document = { [member: string]: Json };

/** A name that the caller chose for one call: 1 to 128 printable ASCII characters. */
export type IdempotencyKey = string;

/** The circle and the caller of a connection. */
export interface Identity {
  /** Whether there is a session. */
  authenticated: boolean;
  /** The public key that this session proved; empty without a session. */
  caller: string;
  /** A secp256k1 public key: 33 bytes compressed, lower-case hex. */
  circle: PublicKey;
  /** When the session ends, in seconds since 1970-01-01T00:00:00Z; null without a session. */
  expires_at: number | null;
}

/** The scripts that a circle holds. */
export interface Library {
  /** By name. */
  scripts: Array<LibraryScript>;
}

/** A function that a script defines. */
export interface LibraryFunction {
  /** Its `///` comment; empty without one. */
  description: string;
  /** The function's name. */
  name: string;
  /** The names of its parameters. */
  params: Array<string>;
}

/** A script of the library. */
export interface LibraryScript {
  /** Its `//!` comment; empty without one. */
  description: string;
  /** Why it does not compile; null if it does. */
  fault: string | null;
  /** Its functions that are not private. */
  functions: Array<LibraryFunction>;
  /** A script of a circle's library: its path below the library, with slashes, without `.rhai`. */
  name: ScriptName;
}

/** The limit that a script exceeded. */
export interface LimitData {
  /** Its name in circles.json; answer_bytes if result and log together do not fit into one answer. */
  limit: string;
  /** The script's log lines, in order; absent if it logged nothing. */
  logs?: Array<LogLine>;
}

/** The level of a log line: `print` logs at `info`, `debug` at `debug`. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line that a script logged. */
export interface LogLine {
  /** The level of a log line: `print` logs at `info`, `debug` at `debug`. */
  level: LogLevel;
  /** The line, without its end. */
  text: string;
}

/** A duration in microseconds. */
export type Microseconds = number;

/** 32 random bytes, lower-case hex. */
export type Nonce = string;

/** How many items a page may hold. */
export type PageLimit = number;

/** An event of a watched play. */
export type PlayEvent = { event: "accepted"; task_id: TaskId } | { event: "logged"; line: LogLine } | { event: "restarted" } | { event: "ended"; task: Task };

/** The result of a script that succeeded. */
export interface PlayResult {
  /** In the order in which they were logged. */
  logs: Array<LogLine>;
  /** The script's value as Rhai prints it; empty for the unit value. */
  output: string;
  /** The cost of a play. */
  stats: PlayStats;
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
  /** Any JSON value. */
  value: Json;
}

/** The cost of a play. */
export interface PlayStats {
  /** A duration in microseconds. */
  elapsed_us: Microseconds;
  /** Rhai operations, as the operations limit counts them. */
  operations: number;
  /** A duration in microseconds. */
  queued_us: Microseconds;
}

/** A secp256k1 public key: 33 bytes compressed, lower-case hex. */
export type PublicKey = string;

/** One sealed record of a play. */
export interface Record {
  /** A point in time, in milliseconds since 1970-01-01T00:00:00Z. */
  accepted_at: UnixMillis;
  /** The caller: a public key; `webhook:` and a provider's name; empty for an anonymous caller. */
  caller: Caller;
  /** A point in time, in milliseconds since 1970-01-01T00:00:00Z. */
  ended_at: UnixMillis;
  /** A SHA-256, lower-case hex. */
  hash: Sha256;
  /** The place of a record in its circle's chain, counted from 1; 0 is before the first. */
  number: RecordNumber;
  /** The state of a task; the last five are final. */
  outcome: TaskState;
  /** A SHA-256, lower-case hex. */
  previous: Sha256;
  /** The SHA-256 of the source that ran; null if none ran. */
  script_sha256: Sha256 | null;
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
  /** The play that made this call; absent if a client made it. */
  via?: RecordVia;
}

/** The newest record of a chain. A client that remembers it can tell whether the chain was cut. */
export interface RecordHead {
  /** A SHA-256, lower-case hex. */
  hash: Sha256;
  /** The place of a record in its circle's chain, counted from 1; 0 is before the first. */
  number: RecordNumber;
}

/** The place of a record in its circle's chain, counted from 1; 0 is before the first. */
export type RecordNumber = number;

/** Some records, the oldest first. */
export interface RecordPage {
  /** The newest record of a chain. A client that remembers it can tell whether the chain was cut. */
  head: RecordHead;
  /** At most the requested number. */
  records: Array<Record>;
}

/** The play that made this call; absent if a client made it. */
export interface RecordVia {
  /** The circle of the calling play. */
  circle: PublicKey;
  /** The caller of the outermost play of the chain. */
  origin: Caller;
  /** The calling play. */
  task_id: TaskId;
}

/** How often a task may be run again although it may have had side effects. */
export type Retries = number;

/** The time to wait before a retry. */
export interface RetryData {
  /** The log lines of a play that ended with this error, in order; absent if it logged nothing. */
  logs?: Array<LogLine>;
  /** Milliseconds to wait before a retry. */
  retry_after_ms: number;
}

/** Rhai source text, at most 1,048,576 characters. A circle takes scripts of `script_bytes` bytes, 262,144 unless its operator says otherwise; longer ones are LIMIT_EXCEEDED. */
export type Script = string;

/** The position and the reason at which a script stopped. */
export interface ScriptErrorData {
  /** In characters, counted from 1; null if the position is unknown. */
  column: number | null;
  /** Whether the source did not compile or the script stopped while it ran. */
  kind: ScriptErrorKind;
  /** Counted from 1; null if the position is unknown. */
  line: number | null;
  /** The script's log lines, in order; absent if it logged nothing. */
  logs?: Array<LogLine>;
  /** The value that the script threw, if it threw one. Absent otherwise. */
  thrown?: Json;
}

/** Whether the source did not compile or the script stopped while it ran. */
export type ScriptErrorKind = "compile" | "runtime";

/** A script of a circle's library: its path below the library, with slashes, without `.rhai`. */
export type ScriptName = string;

/** The time limit that passed. */
export interface ScriptTimeoutData {
  /** The script's log lines, in order; absent if it logged nothing. */
  logs?: Array<LogLine>;
  /** A time limit in milliseconds, up to a day. */
  timeout_ms: TimeoutMs;
}

/** A SHA-256, lower-case hex. */
export type Sha256 = string;

/** An ECDSA signature: 64 bytes compact, low-S, lower-case hex. */
export type Signature = string;

/** A task that was accepted durably. */
export interface Submitted {
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
}

/** The name of a subscription on its connection. */
export type SubscriptionId = number;

/** A task with its state and its outcome. */
export interface Task {
  /** The caller: a public key; `webhook:` and a provider's name; empty for an anonymous caller. */
  caller: Caller;
  /** When it reached its final state; null before that. */
  ended_at: UnixMillis | null;
  /** The error if it failed; null otherwise. */
  error: TaskError | null;
  /** Its result if it succeeded; null otherwise, and in lists. */
  result: PlayResult | null;
  /** The library script that it runs; null if the caller sent the source. */
  script_name: ScriptName | null;
  /** When its last run started; null before that. */
  started_at: UnixMillis | null;
  /** The state of a task; the last five are final. */
  state: TaskState;
  /** A point in time, in milliseconds since 1970-01-01T00:00:00Z. */
  submitted_at: UnixMillis;
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
}

/** The task that the error is about. */
export interface TaskData {
  /** The script's log lines, in order; absent if it logged nothing. */
  logs?: Array<LogLine>;
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
}

/** The error object that a call of `play` would have been answered with. */
export interface TaskError {
  /** As in a JSON-RPC error object. */
  code: number;
  /** As in a JSON-RPC error object; absent if the error has none. */
  data?: Json;
  /** As in a JSON-RPC error object. */
  message: string;
}

/** The name of a task: a UUID of version 7, so that names sort by time. */
export type TaskId = string;

/** Some tasks, the newest first. */
export interface TaskPage {
  /** The cursor of the next page; null on the last page. */
  cursor: TaskId | null;
  /** At most the requested number. */
  tasks: Array<Task>;
}

/** The state of a task; the last five are final. */
export type TaskState = "queued" | "running" | "succeeded" | "failed" | "timed_out" | "cancelled" | "lost";

/** A time limit in milliseconds, up to a day. */
export type TimeoutMs = number;

/** A point in time, in milliseconds since 1970-01-01T00:00:00Z. */
export type UnixMillis = number;

/** A point in time, in seconds since 1970-01-01T00:00:00Z. */
export type UnixSeconds = number;

/** Milliseconds to wait, up to a minute. */
export type WaitMs = number;

/** The codes of the errors that the document declares. */
export const codes = {
  /** the script passed its deadline */
  SCRIPT_TIMEOUT: -32002,
  /** not authenticated */
  UNAUTHENTICATED: -32020,
  /** invalid credentials */
  INVALID_CREDENTIALS: -32021,
  /** forbidden */
  FORBIDDEN: -32022,
  /** too many requests */
  RATE_LIMITED: -32023,
  /** the queue is full */
  OVERLOADED: -32024,
  /** the script failed */
  SCRIPT_ERROR: -32030,
  /** the script passed a limit */
  LIMIT_EXCEEDED: -32031,
  /** cancelled */
  CANCELLED: -32032,
  /** the worker was lost; the script may have had outside effects or ended two workers, so it was not run again */
  WORKER_LOST: -32033,
  /** in conflict with another task */
  CONFLICT: -32034,
  /** no such task */
  TASK_NOT_FOUND: -32040,
  /** no such script */
  SCRIPT_NOT_FOUND: -32041,
  /** the task queue is out of reach */
  BACKEND_UNAVAILABLE: -32050,
} as const;

/** Params of `fetch_nonce`. */
export interface FetchNonceParams {
  /** The key that will sign. */
  pubkey: PublicKey;
}

/** Params of `authenticate`. */
export interface AuthenticateParams {
  /** The key that signed. */
  pubkey: PublicKey;
  /** The challenge, signed. */
  signature: Signature;
}

/** Params of `play`. */
export interface PlayParams {
  /** The Rhai source. */
  script: Script;
  /** Any JSON value: the script's constant `ARGS`; null when absent. */
  args?: Json;
  /**
   * Milliseconds from acceptance to the deadline.
   *
   * A value above the circle's own limit is lowered to it; that limit holds when absent.
   */
  timeout_ms?: TimeoutMs;
  /**
   * The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
   *
   * The same key with another script or other arguments is a CONFLICT.
   */
  idempotency_key?: IdempotencyKey;
}

/** Params of `run`. */
export interface RunParams {
  /** The script's name. */
  name: ScriptName;
  /** Any JSON value: the script's constant `ARGS`; null when absent. */
  args?: Json;
  /**
   * Milliseconds from acceptance to the deadline.
   *
   * A value above the circle's own limit is lowered to it; that limit holds when absent.
   */
  timeout_ms?: TimeoutMs;
  /**
   * The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
   *
   * The same key with another script or other arguments is a CONFLICT.
   */
  idempotency_key?: IdempotencyKey;
}

/** Params of `submit`. */
export interface SubmitParams {
  /** The Rhai source. Either this or `name`. */
  script?: Script;
  /** A script of the circle's library. Either this or `script`. */
  name?: ScriptName;
  /** Any JSON value: the script's constant `ARGS`; null when absent. */
  args?: Json;
  /**
   * Milliseconds from acceptance to the deadline.
   *
   * A value above the circle's own limit for submitted tasks, mostly a day, is lowered to it; that limit holds when absent.
   */
  timeout_ms?: TimeoutMs;
  /**
   * The same key of the same caller in the same circle within 24 hours returns the first outcome and runs nothing.
   *
   * The same key with another script or other arguments is a CONFLICT.
   */
  idempotency_key?: IdempotencyKey;
  /** How often the task may be run again after a crash although it may have had side effects; 0 when absent. */
  retries?: Retries;
}

/** Params of `task`. */
export interface TaskParams {
  /** The task. */
  task_id: TaskId;
  /** Milliseconds to wait for the end of the task; 0 when absent. */
  wait_ms?: WaitMs;
}

/** Params of `tasks`. */
export interface TasksParams {
  /** Only tasks in this state. */
  state?: TaskState;
  /** The most items of the page; 50 when absent. */
  limit?: PageLimit;
  /** Continue where the page with this cursor ended. */
  cursor?: TaskId;
}

/** Params of `cancel`. */
export interface CancelParams {
  /** The task. */
  task_id: TaskId;
}

/** Params of `provenance`. */
export interface ProvenanceParams {
  /** Start after the record of this number; at the first when absent. */
  after?: RecordNumber;
  /** The most items of the page; 50 when absent. */
  limit?: PageLimit;
}

/** Params of `watch_play`. */
export interface WatchPlayParams {
  /** The Rhai source to play. */
  script?: Script;
  /** A script of the circle's library to run. */
  name?: ScriptName;
  /** A running task to watch. */
  task_id?: TaskId;
  /** Any JSON value: the script's constant `ARGS`; null when absent. */
  args?: Json;
  /**
   * Milliseconds from acceptance to the deadline.
   *
   * A value above the circle's own limit is lowered to it; that limit holds when absent.
   */
  timeout_ms?: TimeoutMs;
}

/** Params of `unwatch_play`. */
export interface UnwatchPlayParams {
  /** The subscription that `watch_play` returned. */
  subscription: SubscriptionId;
}

/** Play Rhai scripts inside a peer's circle. Connect by WebSocket to `/{circle public key}`, prove who you are by signing a challenge, and play. */
export class Circles extends Connection {
  /** Opens a connection. */
  static async connect(url: string, options: ConnectOptions<Circles> = {}): Promise<Circles> {
    const client = (transport: Transport) => new Circles(url, transport);
    const transport = new ReconnectingTransport(url, options, client);
    await transport.open();
    return client(transport);
  }

  /**
   * Ask for a challenge to sign.
   *
   * The nonce is 32 random bytes, valid for 60 seconds, bound to this connection, circle and public key, and spent by the first `authenticate` that follows for that key, right or wrong. At most 8 may be outstanding on a connection. Before signing, check that the challenge names the circle, the audience and the key you meant.
   */
  async fetchNonce(params: FetchNonceParams, options?: CallOptions): Promise<Challenge> {
    return (await this.call("fetch_nonce", params, options)) as Challenge;
  }

  /**
   * Open a session by signing the challenge.
   *
   * The signature is ECDSA over the SHA-256 of the challenge's bytes, in the 64-byte compact form, low-S, as lower-case hex. It is checked against every outstanding nonce of that key on this connection, newest first; all of them are spent. The session belongs to this connection and ends with it or when it expires. Five failures close the connection.
   */
  async authenticate(params: AuthenticateParams, options?: CallOptions): Promise<Authenticated> {
    return (await this.call("authenticate", params, options)) as Authenticated;
  }

  /**
   * Return the circle of this connection and the caller that it proved.
   *
   * Answers before and after a login, also over plain HTTP POST.
   */
  async whoami(options?: CallOptions): Promise<Identity> {
    return (await this.call("whoami", undefined, options)) as Identity;
  }

  /**
   * Run a Rhai script in this circle and wait for its result.
   *
   * The script runs in the circle that the connection names, never in the caller's; the caller's verified key is its constant `CALLER`. A play is a transaction: nothing it wrote stays unless it succeeds. The deadline counts from acceptance and covers the queue. Disconnecting cancels a running play, unless it carries an idempotency key.
   */
  async play(params: PlayParams, options?: CallOptions): Promise<PlayResult> {
    return (await this.call("play", params, options)) as PlayResult;
  }

  /**
   * Run a script of the circle's library and wait for its result.
   *
   * As `play`, with a script that the circle holds: `name` is its path below the library without `.rhai`. A caller with the permission `run` and not `play` can run the owner's scripts and nothing else.
   */
  async run(params: RunParams, options?: CallOptions): Promise<PlayResult> {
    return (await this.call("run", params, options)) as PlayResult;
  }

  /**
   * Accept a script to run later, durably.
   *
   * Answers once the task is on disk, whether or not a worker is free: from then on it runs also if its caller goes away or the server is restarted. The circle's access list is asked now, its policy when the task runs: a task that the policy forbids ends as failed with FORBIDDEN, one of a script that is not there with SCRIPT_NOT_FOUND. A task that had a side effect before a crash is not run again but ends as `lost`, unless `retries` allows another run.
   */
  async submit(params: SubmitParams = {}, options?: CallOptions): Promise<Submitted> {
    return (await this.call("submit", params, options)) as Submitted;
  }

  /**
   * Return the state of a task, or wait for its end.
   *
   * With `wait_ms` the answer comes when the task ends or the time is over, whichever is first. A caller sees its own tasks, the circle's owner all of them. Tasks that were submitted, and plays with an idempotency key, are remembered for a day after their end; other plays while they are under way.
   */
  async task(params: TaskParams, options?: CallOptions): Promise<Task> {
    return (await this.call("task", params, options)) as Task;
  }

  /**
   * List tasks, the newest first, a page at a time.
   *
   * A caller sees its own tasks, the circle's owner all of them. Results are left out: `task` returns them.
   */
  async tasks(params: TasksParams = {}, options?: CallOptions): Promise<TaskPage> {
    return (await this.call("tasks", params, options)) as TaskPage;
  }

  /**
   * End a task that has not ended yet.
   *
   * A queued task ends at once, a running one within 100 ms. Nothing it wrote stays. A caller may cancel its own tasks, the circle's owner all of them.
   */
  async cancel(params: CancelParams, options?: CallOptions): Promise<Cancellation> {
    return (await this.call("cancel", params, options)) as Cancellation;
  }

  /**
   * List the scripts of the circle's library.
   *
   * The scripts that `run` and `import` accept, with their doc comments.
   */
  async scripts(options?: CallOptions): Promise<Library> {
    return (await this.call("scripts", undefined, options)) as Library;
  }

  /**
   * The circle's sealed record of plays, oldest first, a page at a time.
   *
   * Plays that wrote, had side effects or were submitted leave one record each, chained by SHA-256 (docs/protocol.md gives the exact bytes). For the circle's owner alone.
   */
  async provenance(params: ProvenanceParams = {}, options?: CallOptions): Promise<RecordPage> {
    return (await this.call("provenance", params, options)) as RecordPage;
  }

  /**
   * Play a script, or watch a running task: its log lines as they are printed, then its end.
   *
   * Exactly one of `script`, `name` and `task_id`. A play that this call started is cancelled when the subscription ends before it, as a `play` is when its caller disconnects; a task that it only watches continues.
   */
  async watchPlay(params: WatchPlayParams, onItem: (item: PlayEvent) => void, options?: SubscribeOptions): Promise<Subscription> {
    return this.subscribe("watch_play", "play_event", "unwatch_play", params, (item) => onItem(item as PlayEvent), options);
  }

  /**
   * This document.
   *
   * Also served as `GET /openrpc.json`.
   */
  async rpcDiscover(options?: CallOptions): Promise<Document> {
    return (await this.call("rpc.discover", undefined, options)) as Document;
  }
}
