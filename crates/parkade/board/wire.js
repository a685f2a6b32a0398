// The way to the program: requests, and events as they happen. It connects again by itself, and says so.

import { eventReader } from "./events.js";

/** The program tells something every 15 s, if only that it is there. */
const SILENCE = 40_000;
const PATIENCE = 10_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

/** What the program has refused, in its words. */
export class Refused extends Error {
  constructor(status, detail, after) {
    super(detail);
    this.status = status;
    /** After how many milliseconds it may be asked again. */
    this.after = after;
  }
}

async function refusal(response) {
  const text = await response.text().catch(() => "");
  let problem = null;
  try {
    problem = JSON.parse(text);
  } catch {
    // Something between us and the program has answered.
  }
  const detail = problem?.detail ?? problem?.title ?? `The answer was ${response.status}.`;
  return new Refused(response.status, detail, 1000 * Number(response.headers.get("Retry-After") ?? 0));
}

/** The program, asked with one token. */
export class Wire {
  #token;
  /** Told of the program's time and ours: `saw(theirs, ours)`. */
  #saw;
  #lastId = null;
  /** Whether what is shown is all that there is up to that event. */
  #whole = false;
  #ended = false;
  #wake = null;
  #connection = null;

  constructor(token, saw) {
    this.#token = token;
    this.#saw = saw;
  }

  async #fetch(path, options = {}) {
    const headers = { ...options.headers, Authorization: `Bearer ${this.#token}` };
    const response = await fetch(path, { cache: "no-store", ...options, headers });
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (!Number.isNaN(date)) this.#saw(date, Date.now());
    if (!response.ok) throw await refusal(response);
    return response;
  }

  /** One request; its answer as JSON, or null if it has none. */
  async ask(method, path, body) {
    const options = { method, signal: AbortSignal.timeout(PATIENCE), headers: {} };
    if (body !== undefined) {
      options.body = JSON.stringify(body);
      options.headers["Content-Type"] = "application/json";
    }
    const text = await (await this.#fetch(path, options)).text();
    return text === "" ? null : JSON.parse(text);
  }

  /**
   * Follows the events until `end()`. `hooks`: `lists()` reads everything anew and returns when that
   * is done; `events(events)`; `status({ kind, until, why })`, kind `connecting`, `live`, `lost` or `out`.
   */
  async follow(hooks) {
    let pause = FIRST_PAUSE;
    hooks.status({ kind: "connecting" });
    while (!this.#ended) {
      let why = null;
      let wait = 0;
      try {
        await this.#listen(hooks, () => {
          pause = FIRST_PAUSE;
          hooks.status({ kind: "live" });
        });
      } catch (error) {
        if (this.#ended) return;
        if (error instanceof Refused) {
          if (error.status === 401 || error.status === 403) {
            this.#ended = true;
            hooks.status({ kind: "out", why: error.message });
            return;
          }
          why = error.message;
          wait = error.after;
        }
      }
      if (this.#ended) return;
      // All who were disconnected at once do not come back at once.
      wait = Math.max(wait, pause * (0.75 + Math.random() / 2));
      pause = Math.min(2 * pause, LONGEST_PAUSE);
      hooks.status({ kind: "lost", until: Date.now() + wait, why });
      await this.#pause(wait);
    }
  }

  async #listen(hooks, live) {
    const connection = new AbortController();
    this.#connection = connection;
    let watch = setTimeout(() => connection.abort(), PATIENCE);
    const headers = { Accept: "text/event-stream" };
    const resumes = this.#whole && this.#lastId !== null;
    if (resumes) headers["Last-Event-ID"] = this.#lastId;
    try {
      const response = await this.#fetch("events", { headers, signal: connection.signal });
      // Events that come while the lists are read are folded in after them.
      let kept = null;
      let failed = null;
      const read = async () => {
        if (kept) return;
        kept = [];
        this.#whole = false;
        try {
          await hooks.lists();
          const events = kept;
          kept = null;
          this.#whole = true;
          hooks.events(events);
          live();
        } catch (error) {
          failed = error;
          connection.abort();
        }
      };
      if (resumes) live();
      else void read();
      let batch = [];
      const take = eventReader(({ id, kind, data }) => {
        if (id !== null) this.#lastId = id;
        if (kind === "reset") {
          batch = [];
          void read();
          return;
        }
        const event = JSON.parse(data);
        this.#saw(Date.parse(event.at), Date.now());
        (kept ?? batch).push(event);
      });
      const text = new TextDecoder();
      const stream = response.body.getReader();
      for (;;) {
        clearTimeout(watch);
        watch = setTimeout(() => connection.abort(), SILENCE);
        const { done, value } = await stream.read().catch((error) => {
          throw failed ?? error;
        });
        if (done) break;
        take(text.decode(value, { stream: true }));
        if (batch.length > 0) hooks.events(batch);
        batch = [];
      }
    } finally {
      clearTimeout(watch);
      connection.abort();
    }
  }

  #pause(wait) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Does not wait any longer before it connects again. */
  hurry() {
    this.#wake?.();
  }

  /** Stops following. */
  end() {
    this.#ended = true;
    this.#connection?.abort();
    this.#wake?.();
  }
}
