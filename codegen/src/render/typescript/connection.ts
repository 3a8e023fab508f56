/** Any JSON value. */
export type $Json = null | boolean | number | string | $Json[] | { [member: string]: $Json | undefined };

/** An error object that the server answered. */
export class $RpcError extends Error {
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
export class $ConnectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConnectionError";
  }
}

/** No answer came in time. The call may have been carried out, or not. */
export class $TimeoutError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TimeoutError";
  }
}

/** What a client is made with. */
export interface $ConnectOptions<Client> {
  /** How long to wait for an answer, in milliseconds, where a call says nothing else: 60,000 by default; 0 is without end. */
  timeoutMs?: number | undefined;
  /** What opens sockets, where the environment has no `WebSocket` of its own, such as that of the npm package `ws`. */
  WebSocket?: $SocketConstructor | undefined;
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
export interface $CallOptions {
  /** How long to wait for the answer, in milliseconds; 0 is without end. */
  timeoutMs?: number | undefined;
}

/** What one subscription may be told. */
export interface $SubscribeOptions extends $CallOptions {
  /** Called once if the subscription ends other than by its `end`: the connection was lost, or the server sent an error. */
  onError?: ((error: Error) => void) | undefined;
}

/** A subscription that was begun. */
export interface $Subscription {
  /** Its name on the wire. */
  readonly id: number | string;
  /** Settles when nothing more will be heard: fails if the connection was lost or the server sent an error. */
  readonly ended: Promise<void>;
  /** Ends it; nothing is heard of it afterwards. False if the server no longer knew it. */
  end(): Promise<boolean>;
}

/** What is needed of a WebSocket: that of browsers, of Node.js and of the npm package `ws` have it. */
export interface $Socket {
  readonly readyState: number;
  send(text: string): void;
  close(): void;
  // Each has events of its own kind.
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: any) => void): void;
}

/** What opens sockets. */
export type $SocketConstructor = new (url: string) => $Socket;

/** What is needed of the environment, so that neither the types of browsers nor of Node.js are. */
interface $Host {
  readonly WebSocket?: $SocketConstructor;
  setTimeout(call: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

const host = globalThis as unknown as $Host;
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

function rpcErrorOf(found: unknown): $RpcError {
  const { code, message, data } = Object(found) as { code?: unknown; message?: unknown; data?: unknown };
  const text = typeof message === "string" ? message : JSON.stringify(found);
  return new $RpcError(typeof code === "number" ? code : 0, text ?? "an error without a text", data);
}

/** Calls something after a time, unless the returned function is called before. */
function after(ms: number, call: () => void): () => void {
  if (ms <= 0) return nothing;
  const timer = host.setTimeout(call, Math.min(ms, LONGEST_MS));
  return () => host.clearTimeout(timer);
}

/** What calls go over. */
interface $Road {
  readonly closed: Promise<Error | undefined>;
  call(method: string, params: unknown, options: $CallOptions | undefined): Promise<unknown>;
  notify(method: string, params: unknown): Promise<void>;
  subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    heard: (item: unknown) => void,
    options: $SubscribeOptions | undefined,
  ): Promise<$Subscription>;
  close(): void;
}

interface $Waiting {
  settle(result: unknown): void;
  fail(error: Error): void;
}

interface $Listener {
  hear(item: unknown): void;
  fail(error: Error): void;
}

/** One socket, from its opening to its end. */
class $Line implements $Road {
  readonly opened: Promise<void>;
  readonly closed: Promise<Error | undefined>;
  readonly #socket: $Socket;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<number, $Waiting>();
  readonly #listeners = new Map<string, $Listener>();
  /** Subscriptions that are being asked for, and what was heard before the answers that name them. */
  #asking = 0;
  #early: Array<[string, (listener: $Listener) => void]> = [];
  #nextId = 1;
  #failure: Error | undefined;
  #tell: (why: Error | undefined) => void = nothing;

  constructor(url: string, Socket: $SocketConstructor, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.closed = new Promise((resolve) => {
      this.#tell = resolve;
    });
    this.#socket = new Socket(url);
    this.opened = new Promise((resolve, reject) => {
      const late = new $TimeoutError(`no connection to ${url} in ${timeoutMs} ms`);
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
      this.#fail(new $ConnectionError(`the connection to ${url} failed${detail}`));
    });
    this.#socket.addEventListener("close", (event) => {
      const detail = [event?.code, event?.reason].filter(Boolean).join(" ");
      this.#fail(new $ConnectionError(`the server closed the connection${detail && ` (${detail})`}`));
    });
  }

  close(): void {
    this.#fail(new $ConnectionError("the connection is closed"), true);
  }

  call(method: string, params: unknown, options?: $CallOptions): Promise<unknown> {
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
    options?: $SubscribeOptions,
  ): Promise<$Subscription> {
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
    options: $SubscribeOptions | undefined,
  ): $Subscription {
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
        fail(new $TimeoutError(`${method}: no answer in ${timeoutMs} ms`));
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
    if (this.#socket.readyState !== OPEN) throw new $ConnectionError("the connection is not open");
    this.#socket.send(JSON.stringify(message));
  }

  #receive(text: string): void {
    if (this.#failure) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#fail(new $ConnectionError("the server sent something that is not JSON"));
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
      const tell = (listener: $Listener) =>
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

  #tellListener(key: string, tell: (listener: $Listener) => void): void {
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
class $Link<Client> implements $Road {
  readonly closed: Promise<Error | undefined>;
  readonly #url: string;
  readonly #options: $ConnectOptions<Client>;
  readonly #client: (road: $Road) => Client;
  readonly #timeoutMs: number;
  /** The newest line, also before it is open. */
  #line: $Line | undefined;
  /** The next line, while there is none. */
  #next: Promise<$Line> | undefined;
  #trouble: Error | undefined;
  #over: Error | undefined;
  #tell: (why: Error | undefined) => void = nothing;
  #wake: () => void = nothing;

  constructor(url: string, options: $ConnectOptions<Client>, client: (road: $Road) => Client) {
    this.#url = url;
    this.#options = options;
    this.#client = client;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.closed = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  async open(): Promise<$Line> {
    const Socket = this.#options.WebSocket ?? host.WebSocket;
    if (!Socket) throw new $ConnectionError("this environment has no WebSocket: give one in the options");
    const line = new $Line(this.#url, Socket, this.#timeoutMs);
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
    this.#end(new $ConnectionError("the connection is closed"), true);
  }

  async call(method: string, params: unknown, options: $CallOptions | undefined): Promise<unknown> {
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
    options: $SubscribeOptions | undefined,
  ): Promise<$Subscription> {
    const began = Date.now();
    const timeoutMs = options?.timeoutMs ?? this.#timeoutMs;
    const line = await this.#ready(method, timeoutMs);
    const rest = { ...options, timeoutMs: left(timeoutMs, began) };
    return line.subscribe(method, notification, unsubscribe, params, heard, rest);
  }

  /** The line, or the next one, if that comes in time. */
  #ready(method: string, timeoutMs: number): Promise<$Line> {
    if (this.#over) return Promise.reject(this.#over);
    const [line, next] = [this.#line, this.#next];
    if (line && !next) return Promise.resolve(line);
    return new Promise((resolve, reject) => {
      const stop = after(timeoutMs, () => {
        const why = this.#trouble ? `: ${this.#trouble.message}` : "";
        reject(new $TimeoutError(`${method}: no connection in ${timeoutMs} ms${why}`));
      });
      void (next ?? this.open()).then(resolve, reject).finally(stop);
    });
  }

  #watch(line: $Line): void {
    void line.closed.then((why) => {
      if (this.#over) return;
      const trouble = why ?? new $ConnectionError("the connection is closed");
      if (!this.#options.reconnect) {
        this.#end(trouble, false);
        return;
      }
      this.#trouble = trouble;
      this.#next = this.#again();
      this.#next.catch(nothing);
    });
  }

  async #again(): Promise<$Line> {
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
export class $Connection {
  /** The URL that it leads to. */
  readonly $url: string;
  readonly #road: $Road;

  protected constructor(url: string, road: $Road) {
    this.$url = url;
    this.#road = road;
  }

  /** Settles when this client is over for good: with why, or with nothing after it was closed. */
  get $closed(): Promise<Error | undefined> {
    return this.#road.closed;
  }

  /** Closes the connection; calls and subscriptions under way fail, and so does every later call. */
  $close(): void {
    this.#road.close();
  }

  protected $call(method: string, params: unknown, options: $CallOptions | undefined): Promise<unknown> {
    return this.#road.call(method, params, options);
  }

  protected $notify(method: string, params: unknown): Promise<void> {
    return this.#road.notify(method, params);
  }

  protected $subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    heard: (item: unknown) => void,
    options: $SubscribeOptions | undefined,
  ): Promise<$Subscription> {
    return this.#road.subscribe(method, notification, unsubscribe, params, heard, options);
  }
}
