// Circles 0.1.0

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [member: string]: Json | undefined };

/** An error object that the server answered. */
export class RpcError extends Error {
  /** Which error it is: one of `codes`, or of the JSON-RPC standard. */
  readonly code: number;
  /** What the error says beside its message. */
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
  }
}

/** There is no connection, or no longer. A call that was under way may have been carried out, or not. */
export class ConnectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConnectionError";
  }
}

/** No answer came in time. The call may have been carried out, or not. */
export class TimeoutError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TimeoutError";
  }
}

/** What a client is made with. */
export interface ConnectOptions<Client> {
  /** How long to wait for an answer, in milliseconds, where a call says nothing else: 60,000 by default; 0 is without end. */
  timeoutMs?: number | undefined;
  /** What opens sockets, where the environment has no `WebSocket` of its own, such as that of the npm package `ws`. */
  WebSocket?: SocketConstructor | undefined;
  /**
   * Whether to connect again when the connection is lost.
   *
   * Calls and subscriptions under way fail all the same, as the server may have carried them out. Calls that are made while there is no connection wait for the next one, as long as their timeout lets them.
   */
  reconnect?: boolean | undefined;
  /** Called with each new connection before other calls go over it, such as to log in. If it fails, the connection is closed. */
  onConnect?: ((client: Client) => unknown) | undefined;
}

/** What one call may be told. */
export interface CallOptions {
  /** How long to wait for the answer, in milliseconds; 0 is without end. */
  timeoutMs?: number | undefined;
}

/** What one subscription may be told. */
export interface SubscribeOptions extends CallOptions {
  /** Called once if the subscription ends other than by its `end`: the connection was lost, or the server sent an error. */
  onError?: ((error: Error) => void) | undefined;
}

/** A subscription that was begun. */
export interface Subscription {
  /** Its name on the wire. */
  readonly id: number | string;
  /** Settles when nothing more will be heard: fails if the connection was lost or the server sent an error. */
  readonly ended: Promise<void>;
  /** Ends it; nothing is heard of it afterwards. False if the server no longer knew it. */
  end(): Promise<boolean>;
}

/** What is needed of a WebSocket: that of browsers, of Node.js and of the npm package `ws` have it. */
export interface Socket {
  readonly readyState: number;
  send(text: string): void;
  close(): void;
  // Each has events of its own kind.
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: any) => void): void;
}

/** What opens sockets. */
export type SocketConstructor = new (url: string) => Socket;

/** What is needed of the environment, so that neither the types of browsers nor of Node.js are. */
interface Host {
  readonly WebSocket?: SocketConstructor;
  setTimeout(call: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

const host = globalThis as unknown as Host;
/** A socket that is open. */
const OPEN = 1;
const TIMEOUT_MS = 60_000;
/** The longest time that timers can wait. */
const LONGEST_MS = 0x7fff_ffff;
/** The first and the longest pause before connecting again. */
const PAUSES_MS = [100, 5_000] as const;
/** How many notifications are kept until the answer that names their subscription. */
const EARLY = 1_000;

function nothing(): void {}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function rpcErrorOf(found: unknown): RpcError {
  const { code, message, data } = Object(found) as { code?: unknown; message?: unknown; data?: unknown };
  const text = typeof message === "string" ? message : JSON.stringify(found);
  return new RpcError(typeof code === "number" ? code : 0, text ?? "an error without a text", data);
}

/** Calls something after a time, unless the returned function is called before. */
function after(ms: number, call: () => void): () => void {
  if (ms <= 0) return nothing;
  const timer = host.setTimeout(call, Math.min(ms, LONGEST_MS));
  return () => host.clearTimeout(timer);
}

/** What calls go over. */
interface Road {
  readonly closed: Promise<Error | undefined>;
  call(method: string, params: unknown, options: CallOptions | undefined): Promise<unknown>;
  notify(method: string, params: unknown): Promise<void>;
  subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    heard: (item: unknown) => void,
    options: SubscribeOptions | undefined,
  ): Promise<Subscription>;
  close(): void;
}

interface Waiting {
  settle(result: unknown): void;
  fail(error: Error): void;
}

interface Listener {
  hear(item: unknown): void;
  fail(error: Error): void;
}

/** One socket, from its opening to its end. */
class Line implements Road {
  readonly opened: Promise<void>;
  readonly closed: Promise<Error | undefined>;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<string, Listener>();
  /** Subscriptions that are being asked for, and what was heard before the answers that name them. */
  #asking = 0;
  #early: Array<[string, (listener: Listener) => void]> = [];
  #nextId = 1;
  #failure: Error | undefined;
  #tell: (why: Error | undefined) => void = nothing;

  constructor(url: string, Socket: SocketConstructor, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.closed = new Promise((resolve) => {
      this.#tell = resolve;
    });
    this.#socket = new Socket(url);
    this.opened = new Promise((resolve, reject) => {
      const late = new TimeoutError(`no connection to ${url} in ${timeoutMs} ms`);
      const stop = after(timeoutMs, () => this.#fail(late));
      this.#socket.addEventListener("open", () => {
        stop();
        resolve();
      });
      void this.closed.then((why) => {
        stop();
        reject(why ?? this.#failure);
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
    return this.#ask(method, params, options?.timeoutMs ?? this.#timeoutMs);
  }

  async notify(method: string, params: unknown): Promise<void> {
    this.#send({ jsonrpc: "2.0", method, params });
  }

  async subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    heard: (item: unknown) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    // One that is named too late for its caller ends at once, or its server would go on for ever.
    const late = (id: unknown) => void this.call(unsubscribe, [id]).catch(nothing);
    this.#asking += 1;
    try {
      const id = (await this.#ask(method, params, options?.timeoutMs ?? this.#timeoutMs, late)) as number | string;
      if (this.#failure) throw this.#failure;
      return this.#listen(JSON.stringify([notification, id]), id, unsubscribe, heard, options);
    } finally {
      this.#asking -= 1;
      if (this.#asking === 0) this.#early = [];
    }
  }

  #listen(
    key: string,
    id: number | string,
    unsubscribe: string,
    heard: (item: unknown) => void,
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
      // Apart from this: what it throws is its own affair.
      if (options?.onError) void Promise.resolve(error).then(options.onError);
    };
    const hear = (item: unknown) => {
      try {
        heard(item);
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
    this.#listeners.set(key, { hear, fail });
    const early = this.#early.filter(([of]) => of === key);
    this.#early = this.#early.filter(([of]) => of !== key);
    early.forEach(([, tell]) => this.#tellListener(key, tell));
    return { id, ended, end };
  }

  #ask(method: string, params: unknown, timeoutMs: number, late?: (result: unknown) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      let stop: () => void = nothing;
      const forget = () => {
        stop();
        this.#waiting.delete(id);
      };
      const fail = (error: Error) => {
        forget();
        reject(error);
      };
      const settle = (result: unknown) => {
        forget();
        resolve(result);
      };
      this.#waiting.set(id, { settle, fail });
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
            this.#waiting.delete(id);
            late(result);
          };
          this.#waiting.set(id, { settle, fail: () => this.#waiting.delete(id) });
        }
      });
    });
  }

  #send(message: unknown): void {
    if (this.#failure) throw this.#failure;
    // A socket that is closing swallows what it is given.
    if (this.#socket.readyState !== OPEN) throw new ConnectionError("the connection is not open");
    this.#socket.send(JSON.stringify(message));
  }

  #receive(text: string): void {
    if (this.#failure) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#fail(new ConnectionError("the server sent something that is not JSON"));
      return;
    }
    (Array.isArray(message) ? message : [message]).forEach((one) => this.#take(one));
  }

  #take(message: unknown): void {
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
      const tell = (listener: Listener) =>
        failed ? listener.fail(rpcErrorOf(event.error)) : listener.hear(event.result);
      this.#tellListener(JSON.stringify([method, event.subscription]), tell);
      return;
    }
    const failed = error !== undefined && error !== null;
    if (typeof id === "number") {
      const waiting = this.#waiting.get(id);
      if (failed) waiting?.fail(rpcErrorOf(error));
      else waiting?.settle(result);
    } else if (failed) {
      // The server could not read of which call it is, so it may be any.
      [...this.#waiting.values()].forEach((waiting) => waiting.fail(rpcErrorOf(error)));
    }
  }

  #tellListener(key: string, tell: (listener: Listener) => void): void {
    const listener = this.#listeners.get(key);
    if (listener) tell(listener);
    else if (this.#asking > 0 && this.#early.length < EARLY) this.#early.push([key, tell]);
  }

  #fail(error: Error, asked = false): void {
    if (this.#failure) return;
    this.#failure = error;
    const told = [...this.#waiting.values(), ...this.#listeners.values()];
    this.#waiting.clear();
    this.#listeners.clear();
    this.#early = [];
    try {
      this.#socket.close();
    } catch {
      // It was never open.
    }
    this.#tell(asked ? undefined : error);
    told.forEach((one) => one.fail(error));
  }
}

/** Where a client leads: one line, or one after another. */
class Link<Client> implements Road {
  readonly closed: Promise<Error | undefined>;
  readonly #url: string;
  readonly #options: ConnectOptions<Client>;
  readonly #client: (road: Road) => Client;
  readonly #timeoutMs: number;
  /** The newest line, also before it is open. */
  #line: Line | undefined;
  /** The next line, while there is none. */
  #next: Promise<Line> | undefined;
  #trouble: Error | undefined;
  #over: Error | undefined;
  #tell: (why: Error | undefined) => void = nothing;
  #wake: () => void = nothing;

  constructor(url: string, options: ConnectOptions<Client>, client: (road: Road) => Client) {
    this.#url = url;
    this.#options = options;
    this.#client = client;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.closed = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  async open(): Promise<Line> {
    const Socket = this.#options.WebSocket ?? host.WebSocket;
    if (!Socket) throw new ConnectionError("this environment has no WebSocket: give one in the options");
    const line = new Line(this.#url, Socket, this.#timeoutMs);
    this.#line = line;
    try {
      await line.opened;
      await this.#options.onConnect?.(this.#client(line));
    } catch (thrown) {
      line.close();
      throw thrown;
    }
    this.#next = undefined;
    this.#watch(line);
    return line;
  }

  close(): void {
    this.#end(new ConnectionError("the connection is closed"), true);
  }

  async call(method: string, params: unknown, options: CallOptions | undefined): Promise<unknown> {
    const began = Date.now();
    const timeoutMs = options?.timeoutMs ?? this.#timeoutMs;
    const line = await this.#ready(method, timeoutMs);
    return line.call(method, params, { timeoutMs: left(timeoutMs, began) });
  }

  async notify(method: string, params: unknown): Promise<void> {
    return (await this.#ready(method, this.#timeoutMs)).notify(method, params);
  }

  async subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    heard: (item: unknown) => void,
    options: SubscribeOptions | undefined,
  ): Promise<Subscription> {
    const began = Date.now();
    const timeoutMs = options?.timeoutMs ?? this.#timeoutMs;
    const line = await this.#ready(method, timeoutMs);
    const rest = { ...options, timeoutMs: left(timeoutMs, began) };
    return line.subscribe(method, notification, unsubscribe, params, heard, rest);
  }

  /** The line, or the next one, if that comes in time. */
  #ready(method: string, timeoutMs: number): Promise<Line> {
    if (this.#over) return Promise.reject(this.#over);
    const [line, next] = [this.#line, this.#next];
    if (line && !next) return Promise.resolve(line);
    return new Promise((resolve, reject) => {
      const stop = after(timeoutMs, () => {
        const why = this.#trouble ? `: ${this.#trouble.message}` : "";
        reject(new TimeoutError(`${method}: no connection in ${timeoutMs} ms${why}`));
      });
      void (next ?? this.open()).then(resolve, reject).finally(stop);
    });
  }

  #watch(line: Line): void {
    void line.closed.then((why) => {
      if (this.#over) return;
      const trouble = why ?? new ConnectionError("the connection is closed");
      if (!this.#options.reconnect) {
        this.#end(trouble, false);
        return;
      }
      this.#trouble = trouble;
      this.#next = this.#again();
      this.#next.catch(nothing);
    });
  }

  async #again(): Promise<Line> {
    const [first, longest] = PAUSES_MS;
    for (let pause: number = first; ; pause = Math.min(2 * pause, longest)) {
      if (this.#over) throw this.#over;
      // Clients that were cut off together do not come back together.
      await this.#pause(pause * (0.5 + Math.random() / 2));
      if (this.#over) throw this.#over;
      try {
        return await this.open();
      } catch (thrown) {
        this.#trouble = errorOf(thrown);
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = after(ms, resolve);
      this.#wake = () => {
        stop();
        resolve();
      };
    });
  }

  #end(why: Error, asked: boolean): void {
    if (this.#over) return;
    this.#over = why;
    this.#line?.close();
    this.#wake();
    this.#tell(asked ? undefined : why);
  }
}

/** What is left of a time; at least a moment, since 0 would be without end. */
function left(timeoutMs: number, began: number): number {
  return timeoutMs <= 0 ? 0 : Math.max(1, timeoutMs - (Date.now() - began));
}

/** JSON-RPC 2.0 over a WebSocket. */
export class Connection {
  /** The URL that it leads to. */
  readonly url: string;
  readonly #road: Road;

  protected constructor(url: string, road: Road) {
    this.url = url;
    this.#road = road;
  }

  /** Settles when this client is over for good: with why, or with nothing after it was closed. */
  get closed(): Promise<Error | undefined> {
    return this.#road.closed;
  }

  /** Closes the connection; calls and subscriptions under way fail, and so does every later call. */
  close(): void {
    this.#road.close();
  }

  protected call(method: string, params: unknown, options: CallOptions | undefined): Promise<unknown> {
    return this.#road.call(method, params, options);
  }

  protected notify(method: string, params: unknown): Promise<void> {
    return this.#road.notify(method, params);
  }

  protected subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    heard: (item: unknown) => void,
    options: SubscribeOptions | undefined,
  ): Promise<Subscription> {
    return this.#road.subscribe(method, notification, unsubscribe, params, heard, options);
  }
}

/** A session that was opened. */
export interface Authenticated {
  /** Always true; a refusal is an error. */
  authenticated: boolean;
  /** A point in time, in seconds since 1970-01-01T00:00:00Z. */
  expires_at: UnixSeconds;
}

/** Who asked: a public key; `webhook:` and a provider's name; empty where nobody proved anything. */
export type Caller = string;

/** What became of a wish to cancel. */
export interface Cancellation {
  /** Whether this call was the one that ends the task. */
  cancelled: boolean;
}

/** What a play that was cancelled had done. */
export interface CancelledData {
  /** What the script had logged by then, in order. Absent where it had logged nothing. */
  logs?: Array<LogLine>;
}

/** What to sign, and until when. */
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

/** Where a connection is, and as whom. */
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
  /** Its `///` comment; empty where there is none. */
  description: string;
  /** As it is called. */
  name: string;
  /** The names of its parameters. */
  params: Array<string>;
}

/** A script of the library. */
export interface LibraryScript {
  /** Its `//!` comment; empty where there is none. */
  description: string;
  /** Why it does not compile; null where it does. */
  fault: string | null;
  /** Those that are not private. */
  functions: Array<LibraryFunction>;
  /** A script of a circle's library: its path below the library, with slashes, without `.rhai`. */
  name: ScriptName;
}

/** The limit that a script passed. */
export interface LimitData {
  /** Its name, as circles.json spells it; answer_bytes where result and log together do not fit into one answer. */
  limit: string;
  /** What the script had logged by then, in order. Absent where it had logged nothing. */
  logs?: Array<LogLine>;
}

/** How a script rated a line; `print` makes `info`, `debug` makes `debug`. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line that a script logged. */
export interface LogLine {
  /** How a script rated a line; `print` makes `info`, `debug` makes `debug`. */
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

/** What happens to a play that is watched. */
export type PlayEvent = { event: "accepted"; task_id: TaskId } | { event: "logged"; line: LogLine } | { event: "restarted" } | { event: "ended"; task: Task };

/** What a script that succeeded left. */
export interface PlayResult {
  /** In the order in which they were logged. */
  logs: Array<LogLine>;
  /** The script's value as Rhai prints it; empty for the unit value. */
  output: string;
  /** What a play cost. */
  stats: PlayStats;
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
  /** Any JSON value. */
  value: Json;
}

/** What a play cost. */
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
  /** Who asked: a public key; `webhook:` and a provider's name; empty where nobody proved anything. */
  caller: Caller;
  /** A point in time, in milliseconds since 1970-01-01T00:00:00Z. */
  ended_at: UnixMillis;
  /** A SHA-256, lower-case hex. */
  hash: Sha256;
  /** The place of a record in its circle's chain, counted from 1; 0 is before the first. */
  number: RecordNumber;
  /** Where a task is on its way; the last five are final. */
  outcome: TaskState;
  /** A SHA-256, lower-case hex. */
  previous: Sha256;
  /** Of the source that ran; null where none did. */
  script_sha256: Sha256 | null;
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
  /** The play that made this call; absent where the call came from outside. */
  via?: RecordVia;
}

/** The newest record of a chain: whoever remembers it can tell whether the chain was cut. */
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
  /** The newest record of a chain: whoever remembers it can tell whether the chain was cut. */
  head: RecordHead;
  /** At most as many as were asked for. */
  records: Array<Record>;
}

/** The play that made this call; absent where the call came from outside. */
export interface RecordVia {
  /** The circle of the calling play. */
  circle: PublicKey;
  /** The caller of the outermost play of the chain. */
  origin: Caller;
  /** The calling play. */
  task_id: TaskId;
}

/** How often a task may be run again although it may have had outside effects. */
export type Retries = number;

/** When to try again. */
export interface RetryData {
  /** If a play ended so, what its script had logged by then, in order. Absent where it had logged nothing. */
  logs?: Array<LogLine>;
  /** Milliseconds to wait first. */
  retry_after_ms: number;
}

/** Rhai source text, at most 1,048,576 characters. A circle takes scripts of `script_bytes` bytes, 262,144 unless its operator says otherwise; longer ones are LIMIT_EXCEEDED. */
export type Script = string;

/** Where and why a script stopped. */
export interface ScriptErrorData {
  /** In characters, counted from 1; null where the place is not known. */
  column: number | null;
  /** Whether the source did not compile or the script stopped while it ran. */
  kind: ScriptErrorKind;
  /** Counted from 1; null where the place is not known. */
  line: number | null;
  /** What the script had logged by then, in order. Absent where it had logged nothing. */
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
  /** What the script had logged by then, in order. Absent where it had logged nothing. */
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

/** A task and what became of it. */
export interface Task {
  /** Who asked: a public key; `webhook:` and a provider's name; empty where nobody proved anything. */
  caller: Caller;
  /** When it reached its final state; null before that. */
  ended_at: UnixMillis | null;
  /** Why it did not succeed; null while it may. */
  error: TaskError | null;
  /** What it left, if it succeeded; null otherwise, and in lists. */
  result: PlayResult | null;
  /** The script of the library that it runs; null where the caller sent the source. */
  script_name: ScriptName | null;
  /** When a worker began with it last; null before that. */
  started_at: UnixMillis | null;
  /** Where a task is on its way; the last five are final. */
  state: TaskState;
  /** A point in time, in milliseconds since 1970-01-01T00:00:00Z. */
  submitted_at: UnixMillis;
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
}

/** The task that the error is about. */
export interface TaskData {
  /** What the script had logged by then, in order. Absent where it had logged nothing. */
  logs?: Array<LogLine>;
  /** The name of a task: a UUID of version 7, so that names sort by time. */
  task_id: TaskId;
}

/** The error object that a call of `play` would have been answered with. */
export interface TaskError {
  /** As in a JSON-RPC error object. */
  code: number;
  /** As in a JSON-RPC error object. Absent where there is none. */
  data?: Json;
  /** As in a JSON-RPC error object. */
  message: string;
}

/** The name of a task: a UUID of version 7, so that names sort by time. */
export type TaskId = string;

/** Some tasks, the newest first. */
export interface TaskPage {
  /** What to ask for the next page with; null when there is none. */
  cursor: TaskId | null;
  /** At most as many as were asked for. */
  tasks: Array<Task>;
}

/** Where a task is on its way; the last five are final. */
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
  /** Which script. */
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
  /** How often the task may be run again after a crash although it may have had outside effects; 0 when absent. */
  retries?: Retries;
}

/** Params of `task`. */
export interface TaskParams {
  /** Which task. */
  task_id: TaskId;
  /** Milliseconds to wait for the end of the task; 0 when absent. */
  wait_ms?: WaitMs;
}

/** Params of `tasks`. */
export interface TasksParams {
  /** Only tasks in this state. */
  state?: TaskState;
  /** How many at most; 50 when absent. */
  limit?: PageLimit;
  /** Go on where the page that gave this cursor ended. */
  cursor?: TaskId;
}

/** Params of `cancel`. */
export interface CancelParams {
  /** Which task. */
  task_id: TaskId;
}

/** Params of `provenance`. */
export interface ProvenanceParams {
  /** Begin behind the record of this number; with the first when absent. */
  after?: RecordNumber;
  /** How many at most; 50 when absent. */
  limit?: PageLimit;
}

/** Params of `watch_play`. */
export interface WatchPlayParams {
  /** The Rhai source to play. */
  script?: Script;
  /** A script of the circle's library to run. */
  name?: ScriptName;
  /** A task under way to look at. */
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
  /** What `watch_play` answered. */
  subscription: SubscriptionId;
}

/** Play Rhai scripts inside a peer's circle. Connect by WebSocket to `/{circle public key}`, prove who you are by signing a challenge, and play. */
export class Circles extends Connection {
  /** Opens a connection. */
  static async connect(url: string, options: ConnectOptions<Circles> = {}): Promise<Circles> {
    const over = (road: Road) => new Circles(url, road);
    const link = new Link(url, options, over);
    await link.open();
    return over(link);
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
   * Say in which circle this connection is, and as whom.
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
   * As `play`, with a script that the circle holds: `name` is its path below the library without `.rhai`. Who may run but not play can do what the owner wrote, and nothing else.
   */
  async run(params: RunParams, options?: CallOptions): Promise<PlayResult> {
    return (await this.call("run", params, options)) as PlayResult;
  }

  /**
   * Accept a script to run later, durably.
   *
   * Answers once the task is on disk, whether or not a worker is free: from then on it runs also if its caller goes away or the server is restarted. The circle's access list is asked now, its policy when the task runs: a task that the policy forbids ends as failed with FORBIDDEN, one of a script that is not there with SCRIPT_NOT_FOUND. A task that reached outside before a crash is not run again but ends as `lost`, unless `retries` allows that.
   */
  async submit(params: SubmitParams = {}, options?: CallOptions): Promise<Submitted> {
    return (await this.call("submit", params, options)) as Submitted;
  }

  /**
   * Tell the state of a task, or wait for its end.
   *
   * With `wait_ms` the answer comes when the task ends or the time is over, whichever is first. A caller sees its own tasks, the circle's owner all of them. Tasks that were submitted, and plays with an idempotency key, are remembered for a day after their end; other plays while they are under way.
   */
  async task(params: TaskParams, options?: CallOptions): Promise<Task> {
    return (await this.call("task", params, options)) as Task;
  }

  /**
   * List tasks, the newest first, a page at a time.
   *
   * The caller's own; for the circle's owner, everybody's. Results are left out: `task` has them.
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
   * What `run` may be asked for and `import` finds, with what their doc comments say.
   */
  async scripts(options?: CallOptions): Promise<Library> {
    return (await this.call("scripts", undefined, options)) as Library;
  }

  /**
   * The circle's sealed record of plays, oldest first, a page at a time.
   *
   * Plays that wrote, reached outside or were submitted leave one record each, chained by SHA-256 (docs/protocol.md gives the exact bytes). For the circle's owner alone.
   */
  async provenance(params: ProvenanceParams = {}, options?: CallOptions): Promise<RecordPage> {
    return (await this.call("provenance", params, options)) as RecordPage;
  }

  /**
   * Play a script, or look on while a task runs: its log lines as they are printed, then its end.
   *
   * Exactly one of `script`, `name` and `task_id`. A play that was begun by watching is cancelled when the subscription ends before it, as a `play` is when its caller disconnects; a task that was only looked at goes on.
   */
  async watchPlay(params: WatchPlayParams, heard: (item: PlayEvent) => void, options?: SubscribeOptions): Promise<Subscription> {
    return this.subscribe("watch_play", "play_event", "unwatch_play", params, (item) => heard(item as PlayEvent), options);
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
