/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [member: string]: Json | undefined };

/** An error object that the server answered. */
export class RpcError extends Error {
  constructor(readonly code: number, message: string, readonly data?: unknown) {
    super(message);
    this.name = "RpcError";
  }
}

/** What a connection is opened with. */
export interface Options {
  /** How long a call may take, in milliseconds; 0, the default, is without end. */
  timeoutMs?: number;
  /** What opens sockets, where the environment has no `WebSocket` of its own. */
  WebSocket?: new (url: string) => WebSocket;
}

/** A subscription that was begun. */
export interface Subscription {
  /** Its name on the wire. */
  readonly id: number | string;
  /** Ends it; nothing is heard of it afterwards. */
  end(): Promise<boolean>;
}

interface Pending {
  settle(answer: unknown): void;
  fail(error: Error): void;
}

/** JSON-RPC 2.0 over one WebSocket. */
export class Connection {
  /** Settles when the connection is open, or could not be opened. */
  readonly opened: Promise<void>;
  private readonly socket: WebSocket;
  private readonly timeoutMs: number;
  private readonly pending = new Map<number, Pending>();
  private readonly heard = new Map<string, (item: unknown) => void>();
  /** Notifications that came before the answer that names their subscription. */
  private early: Array<[string, unknown]> = [];
  private nextId = 1;

  constructor(url: string, options: Options = {}) {
    const Socket = options.WebSocket ?? WebSocket;
    this.timeoutMs = options.timeoutMs ?? 0;
    this.socket = new Socket(url);
    this.opened = new Promise((resolve, reject) => {
      this.socket.addEventListener("open", () => resolve());
      this.socket.addEventListener("error", () => reject(new Error(`cannot connect to ${url}`)));
    });
    this.opened.catch(() => undefined);
    this.socket.addEventListener("message", (event: MessageEvent) => this.receive(String(event.data)));
    this.socket.addEventListener("close", () => this.fail(new Error("the connection is closed")));
  }

  /** Closes the connection; calls under way fail. */
  close(): void {
    this.socket.close();
  }

  protected call(method: string, params?: unknown): Promise<unknown> {
    const id = this.nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const end = () => {
        this.pending.delete(id);
        clearTimeout(timer);
      };
      const settle = (value: unknown) => {
        end();
        resolve(value);
      };
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      if (this.timeoutMs > 0) {
        timer = setTimeout(() => fail(new Error(`${method}: no answer in ${this.timeoutMs} ms`)), this.timeoutMs);
      }
      this.pending.set(id, { settle, fail });
    });
    this.send({ jsonrpc: "2.0", id, method, params }, id);
    return answer;
  }

  protected notify(method: string, params?: unknown): void {
    this.send({ jsonrpc: "2.0", method, params });
  }

  protected async subscribe(
    method: string,
    notification: string,
    unsubscribe: string,
    params: unknown,
    heard: (item: unknown) => void,
  ): Promise<Subscription> {
    const id = (await this.call(method, params)) as number | string;
    const key = JSON.stringify([notification, id]);
    this.heard.set(key, heard);
    const early = this.early.filter(([of]) => of === key);
    this.early = this.early.filter(([of]) => of !== key);
    early.forEach(([, item]) => heard(item));
    const end = async () => {
      this.heard.delete(key);
      return (await this.call(unsubscribe, [id])) === true;
    };
    return { id, end };
  }

  private send(message: unknown, id?: number): void {
    try {
      this.socket.send(JSON.stringify(message));
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      if (id === undefined) throw failure;
      this.pending.get(id)?.fail(failure);
    }
  }

  private receive(text: string): void {
    const message = JSON.parse(text) as {
      id?: number;
      method?: string;
      params?: { subscription?: number | string; result?: unknown };
      result?: unknown;
      error?: { code: number; message: string; data?: unknown };
    };
    if (message.method !== undefined) {
      const key = JSON.stringify([message.method, message.params?.subscription]);
      const heard = this.heard.get(key);
      if (heard) heard(message.params?.result);
      else if (this.early.length < 1000) this.early.push([key, message.params?.result]);
      return;
    }
    const pending = this.pending.get(message.id ?? -1);
    if (message.error) {
      pending?.fail(new RpcError(message.error.code, message.error.message, message.error.data));
    } else {
      pending?.settle(message.result);
    }
  }

  private fail(error: Error): void {
    [...this.pending.values()].forEach((pending) => pending.fail(error));
  }
}
