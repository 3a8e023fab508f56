// Circles 0.1.0

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
  challenge: ChallengeChallenge;
  /** A point in time, in seconds since 1970-01-01T00:00:00Z. */
  expires_at: UnixSeconds;
  /** 32 random bytes, lower-case hex. */
  nonce: Nonce;
}

/** The exact text to sign: `circles-auth-v1` and the fields `circle`, `audience`, `pubkey`, `nonce` and `expires`, each `name:value`, joined by line feeds. */
export type ChallengeChallenge = string;

/** An OpenRPC document. */
export type Document = { [member: string]: Json };

/** A name that the caller chose for one call: 1 to 128 printable ASCII characters. */
export type IdempotencyKey = string;

/** Where a connection is, and as whom. */
export interface Identity {
  /** Whether there is a session. */
  authenticated: boolean;
  /** The public key that this session proved; empty without a session. */
  caller: IdentityCaller;
  /** A secp256k1 public key: 33 bytes compressed, lower-case hex. */
  circle: PublicKey;
  /** When the session ends, in seconds since 1970-01-01T00:00:00Z; null without a session. */
  expires_at: IdentityExpiresAt | null;
}

/** The public key that this session proved; empty without a session. */
export type IdentityCaller = string;

/** When the session ends, in seconds since 1970-01-01T00:00:00Z; null without a session. */
export type IdentityExpiresAt = number;

/** Any JSON value. */
export type Json2 = Json;

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
  limit: LimitDataLimit;
  /** What the script had logged by then, in order. Absent where it had logged nothing. */
  logs?: Array<LogLine>;
}

/** Its name, as circles.json spells it; answer_bytes where result and log together do not fit into one answer. */
export type LimitDataLimit = string;

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
  value: Json2;
}

/** What a play cost. */
export interface PlayStats {
  /** A duration in microseconds. */
  elapsed_us: Microseconds;
  /** Rhai operations, as the operations limit counts them. */
  operations: PlayStatsOperations;
  /** A duration in microseconds. */
  queued_us: Microseconds;
}

/** Rhai operations, as the operations limit counts them. */
export type PlayStatsOperations = number;

/** A secp256k1 public key: 33 bytes compressed, lower-case hex. */
export type PublicKey = string;

/** One sealed record of a play. */
export interface Record2 {
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
  records: Array<Record2>;
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
  retry_after_ms: RetryDataRetryAfterMs;
}

/** Milliseconds to wait first. */
export type RetryDataRetryAfterMs = number;

/** Rhai source text, at most 1,048,576 characters. A circle takes scripts of `script_bytes` bytes, 262,144 unless its operator says otherwise; longer ones are LIMIT_EXCEEDED. */
export type Script = string;

/** Where and why a script stopped. */
export interface ScriptErrorData {
  /** In characters, counted from 1; null where the place is not known. */
  column: ScriptErrorDataColumn | null;
  /** Whether the source did not compile or the script stopped while it ran. */
  kind: ScriptErrorKind;
  /** Counted from 1; null where the place is not known. */
  line: ScriptErrorDataLine | null;
  /** What the script had logged by then, in order. Absent where it had logged nothing. */
  logs?: Array<LogLine>;
  /** The value that the script threw, if it threw one. Absent otherwise. */
  thrown?: Json;
}

/** In characters, counted from 1; null where the place is not known. */
export type ScriptErrorDataColumn = number;

/** Counted from 1; null where the place is not known. */
export type ScriptErrorDataLine = number;

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
  code: TaskErrorCode;
  /** As in a JSON-RPC error object. Absent where there is none. */
  data?: Json;
  /** As in a JSON-RPC error object. */
  message: string;
}

/** As in a JSON-RPC error object. */
export type TaskErrorCode = number;

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
  /** the worker was lost; the script may have had outside effects, so it was not run again */
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
  args?: Json2;
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
  args?: Json2;
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
  args?: Json2;
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
  args?: Json2;
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
  static async connect(url: string, options: Options = {}): Promise<Circles> {
    const client = new Circles(url, options);
    await client.opened;
    return client;
  }

  /**
   * Ask for a challenge to sign.
   *
   * The nonce is 32 random bytes, valid for 60 seconds, bound to this connection, circle and public key, and spent by the first `authenticate` that follows for that key, right or wrong. At most 8 may be outstanding on a connection. Before signing, check that the challenge names the circle, the audience and the key you meant.
   */
  async fetchNonce(params: FetchNonceParams): Promise<Challenge> {
    return (await this.call("fetch_nonce", params)) as Challenge;
  }

  /**
   * Open a session by signing the challenge.
   *
   * The signature is ECDSA over the SHA-256 of the challenge's bytes, in the 64-byte compact form, low-S, as lower-case hex. It is checked against every outstanding nonce of that key on this connection, newest first; all of them are spent. The session belongs to this connection and ends with it or when it expires. Five failures close the connection.
   */
  async authenticate(params: AuthenticateParams): Promise<Authenticated> {
    return (await this.call("authenticate", params)) as Authenticated;
  }

  /**
   * Say in which circle this connection is, and as whom.
   *
   * Answers before and after a login, also over plain HTTP POST.
   */
  async whoami(): Promise<Identity> {
    return (await this.call("whoami", undefined)) as Identity;
  }

  /**
   * Run a Rhai script in this circle and wait for its result.
   *
   * The script runs in the circle that the connection names, never in the caller's; the caller's verified key is its constant `CALLER`. A play is a transaction: nothing it wrote stays unless it succeeds. The deadline counts from acceptance and covers the queue. Disconnecting cancels a running play, unless it carries an idempotency key.
   */
  async play(params: PlayParams): Promise<PlayResult> {
    return (await this.call("play", params)) as PlayResult;
  }

  /**
   * Run a script of the circle's library and wait for its result.
   *
   * As `play`, with a script that the circle holds: `name` is its path below the library without `.rhai`. Who may run but not play can do what the owner wrote, and nothing else.
   */
  async run(params: RunParams): Promise<PlayResult> {
    return (await this.call("run", params)) as PlayResult;
  }

  /**
   * Accept a script to run later, durably.
   *
   * Answers once the task is on disk, whether or not a worker is free: from then on it runs also if its caller goes away or the server is restarted. The circle's access list is asked now, its policy when the task runs: a task that the policy forbids ends as failed with FORBIDDEN, one of a script that is not there with SCRIPT_NOT_FOUND. A task that reached outside before a crash is not run again but ends as `lost`, unless `retries` allows that.
   */
  async submit(params: SubmitParams = {}): Promise<Submitted> {
    return (await this.call("submit", params)) as Submitted;
  }

  /**
   * Tell the state of a task, or wait for its end.
   *
   * With `wait_ms` the answer comes when the task ends or the time is over, whichever is first. A caller sees its own tasks, the circle's owner all of them. Tasks that were submitted, and plays with an idempotency key, are remembered for a day after their end; other plays while they are under way.
   */
  async task(params: TaskParams): Promise<Task> {
    return (await this.call("task", params)) as Task;
  }

  /**
   * List tasks, the newest first, a page at a time.
   *
   * The caller's own; for the circle's owner, everybody's. Results are left out: `task` has them.
   */
  async tasks(params: TasksParams = {}): Promise<TaskPage> {
    return (await this.call("tasks", params)) as TaskPage;
  }

  /**
   * End a task that has not ended yet.
   *
   * A queued task ends at once, a running one within 100 ms. Nothing it wrote stays. A caller may cancel its own tasks, the circle's owner all of them.
   */
  async cancel(params: CancelParams): Promise<Cancellation> {
    return (await this.call("cancel", params)) as Cancellation;
  }

  /**
   * List the scripts of the circle's library.
   *
   * What `run` may be asked for and `import` finds, with what their doc comments say.
   */
  async scripts(): Promise<Library> {
    return (await this.call("scripts", undefined)) as Library;
  }

  /**
   * The circle's sealed record of plays, oldest first, a page at a time.
   *
   * Plays that wrote, reached outside or were submitted leave one record each, chained by SHA-256 (docs/protocol.md gives the exact bytes). For the circle's owner alone.
   */
  async provenance(params: ProvenanceParams = {}): Promise<RecordPage> {
    return (await this.call("provenance", params)) as RecordPage;
  }

  /**
   * Play a script, or look on while a task runs: its log lines as they are printed, then its end.
   *
   * Exactly one of `script`, `name` and `task_id`. A play that was begun by watching is cancelled when the subscription ends before it, as a `play` is when its caller disconnects; a task that was only looked at goes on.
   */
  watchPlay(params: WatchPlayParams, heard: (item: PlayEvent) => void): Promise<Subscription> {
    return this.subscribe("watch_play", "play_event", "unwatch_play", params, (item) => heard(item as PlayEvent));
  }

  /**
   * This document.
   *
   * Also served as `GET /openrpc.json`.
   */
  async rpcDiscover(): Promise<Document> {
    return (await this.call("rpc.discover", undefined)) as Document;
  }
}
