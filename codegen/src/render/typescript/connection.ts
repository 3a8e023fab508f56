/** Any JSON value. */
export type $Json = null | boolean | number | string | $Json[] | { [member: string]: $Json | undefined };

/** The server answered with an error object. */
export class $RpcError extends Error {
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
export class $ConnectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConnectionError";
  }
}

/** No answer came in time. The server may have carried out the call. */
export class $TimeoutError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TimeoutError";
  }
}

/** Options of a client. */
export interface $ConnectOptions<Client> {
  /** How long calls wait for an answer by default, in milliseconds: 60,000 unless set; 0 for no limit. */
  timeoutMs?: number | undefined;
  /** The `WebSocket` class to use, such as that of the npm package `ws`, if the platform has none of its own. */
  WebSocket?: $SocketConstructor | undefined;
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
export interface $CallOptions {
  /** How long to wait for the answer, in milliseconds; 0 for no limit. */
  timeoutMs?: number | undefined;
}

/** Options of a subscription. */
export interface $SubscribeOptions extends $CallOptions {
  /** Called once if the connection was lost or the server sent an error; not after `end()`. */
  onError?: ((error: Error) => void) | undefined;
}

/** An active subscription. */
export interface $Subscription {
  /** The subscription's id in the protocol. */
  readonly id: number | string;
  /** Resolves after the last item; rejects if the connection was lost or the server sent an error. */
  readonly ended: Promise<void>;
  /** Ends the subscription; no item arrives afterwards. Returns false if the server no longer had it. */
  end(): Promise<boolean>;
}

/** The part of a WebSocket that the client needs. Those of browsers, of Node.js and of the npm package `ws` fit. */
export interface $Socket {
  readonly readyState: number;
  send(text: string): void;
  close(): void;
  // Each platform has its own event types.
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: any) => void): void;
}

/** A `WebSocket` class. */
export type $SocketConstructor = new (url: string) => $Socket;

/** The part of the platform that the client needs, so that it depends neither on the types of browsers nor of Node.js. */
interface $Platform {
  readonly WebSocket?: $SocketConstructor;
  setTimeout(call: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

const platform = globalThis as unknown as $Platform;
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

function rpcErrorOf(found: unknown): $RpcError {
  const { code, message, data } = Object(found) as { code?: unknown; message?: unknown; data?: unknown };
  const text = typeof message === "string" ? message : JSON.stringify(found);
  return new $RpcError(typeof code === "number" ? code : 0, text ?? "an error without a message", data);
}

/** Calls `call` after a delay, unless the returned function cancels it. */
function after(ms: number, call: () => void): () => void {
  if (ms <= 0) return nothing;
  const timer = platform.setTimeout(call, Math.min(ms, MAX_TIMER_MS));
  return () => platform.clearTimeout(timer);
}

/** Sends calls: over one socket, or over one after another. */
interface $Transport {
  readonly closed: Promise<Error | undefined>;
  call(method: string, params: unknown, options: $CallOptions | undefined): Promise<unknown>;
  notify(method: string, params: unknown): Promise<void>;
  subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    onItem: (item: unknown) => void,
    options: $SubscribeOptions | undefined,
  ): Promise<$Subscription>;
  close(): void;
}

interface $PendingCall {
  settle(result: unknown): void;
  fail(error: Error): void;
}

interface $Listener {
  receive(item: unknown): void;
  fail(error: Error): void;
}

/** Sends calls over one socket. */
class $SocketTransport implements $Transport {
  readonly opened: Promise<void>;
  readonly closed: Promise<Error | undefined>;
  readonly #socket: $Socket;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, $PendingCall>();
  readonly #listeners = new Map<string, $Listener>();
  /** The number of subscribe calls in flight, and the notifications that arrived before their answers. */
  #subscribing = 0;
  #early: Array<[string, (listener: $Listener) => void]> = [];
  #nextId = 1;
  #failure: Error | undefined;
  #resolveClosed: (reason: Error | undefined) => void = nothing;

  constructor(url: string, Socket: $SocketConstructor, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#socket = new Socket(url);
    this.opened = new Promise((resolve, reject) => {
      const late = new $TimeoutError(`no connection to ${url} in ${timeoutMs} ms`);
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
    options?: $SubscribeOptions,
  ): Promise<$Subscription> {
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
        fail(new $TimeoutError(`${method}: no answer in ${timeoutMs} ms`));
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
    if (this.#socket.readyState !== OPEN) throw new $ConnectionError("the connection is not open");
    this.#socket.send(JSON.stringify(message));
  }

  #receive(text: string): void {
    if (this.#failure) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#fail(new $ConnectionError("the server sent a message that is not JSON"));
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
      const deliver = (listener: $Listener) =>
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

  #deliver(key: string, deliver: (listener: $Listener) => void): void {
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
class $ReconnectingTransport<Client> implements $Transport {
  readonly closed: Promise<Error | undefined>;
  readonly #url: string;
  readonly #options: $ConnectOptions<Client>;
  readonly #client: (transport: $Transport) => Client;
  readonly #timeoutMs: number;
  /** The newest transport, even before it is open. */
  #current: $SocketTransport | undefined;
  /** The next transport, while there is none. */
  #next: Promise<$SocketTransport> | undefined;
  #lastError: Error | undefined;
  #finalError: Error | undefined;
  #resolveClosed: (reason: Error | undefined) => void = nothing;
  #wakeUp: () => void = nothing;

  constructor(url: string, options: $ConnectOptions<Client>, client: (transport: $Transport) => Client) {
    this.#url = url;
    this.#options = options;
    this.#client = client;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  async open(): Promise<$SocketTransport> {
    const Socket = this.#options.WebSocket ?? platform.WebSocket;
    if (!Socket) throw new $ConnectionError("this platform has no WebSocket; pass one in the options");
    const transport = new $SocketTransport(this.#url, Socket, this.#timeoutMs);
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
    this.#end(new $ConnectionError("the connection is closed"), true);
  }

  async call(method: string, params: unknown, options: $CallOptions | undefined): Promise<unknown> {
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
    options: $SubscribeOptions | undefined,
  ): Promise<$Subscription> {
    const start = Date.now();
    const timeoutMs = options?.timeoutMs ?? this.#timeoutMs;
    const transport = await this.#ready(method, timeoutMs);
    const rest = { ...options, timeoutMs: remaining(timeoutMs, start) };
    return transport.subscribe(method, notification, unsubscribe, params, onItem, rest);
  }

  /** Returns the current transport, or the next one if it opens in time. */
  #ready(method: string, timeoutMs: number): Promise<$SocketTransport> {
    if (this.#finalError) return Promise.reject(this.#finalError);
    const [transport, next] = [this.#current, this.#next];
    if (transport && !next) return Promise.resolve(transport);
    return new Promise((resolve, reject) => {
      const stop = after(timeoutMs, () => {
        const reason = this.#lastError ? `: ${this.#lastError.message}` : "";
        reject(new $TimeoutError(`${method}: no connection in ${timeoutMs} ms${reason}`));
      });
      void (next ?? this.open()).then(resolve, reject).finally(stop);
    });
  }

  #watchForClose(transport: $SocketTransport): void {
    void transport.closed.then((reason) => {
      if (this.#finalError) return;
      const error = reason ?? new $ConnectionError("the connection is closed");
      if (!this.#options.reconnect) {
        this.#end(error, false);
        return;
      }
      this.#lastError = error;
      this.#next = this.#reconnect();
      this.#next.catch(nothing);
    });
  }

  async #reconnect(): Promise<$SocketTransport> {
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
export class $Connection {
  /** The server's URL. */
  readonly $url: string;
  readonly #transport: $Transport;

  protected constructor(url: string, transport: $Transport) {
    this.$url = url;
    this.#transport = transport;
  }

  /** Resolves when the client has closed for good: with the error, or with nothing after `$close()`. */
  get $closed(): Promise<Error | undefined> {
    return this.#transport.closed;
  }

  /** Closes the connection. Calls and subscriptions in flight fail, and so does every later call. */
  $close(): void {
    this.#transport.close();
  }

  protected $call(method: string, params: unknown, options: $CallOptions | undefined): Promise<unknown> {
    return this.#transport.call(method, params, options);
  }

  protected $notify(method: string, params: unknown): Promise<void> {
    return this.#transport.notify(method, params);
  }

  protected $subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    onItem: (item: unknown) => void,
    options: $SubscribeOptions | undefined,
  ): Promise<$Subscription> {
    return this.#transport.subscribe(method, notification, unsubscribe, params, onItem, options);
  }
}
