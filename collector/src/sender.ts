import type { Shelf } from "./shelf";
import { bytes } from "./tools";
import type { Options } from "./types";

const BODY_BYTES = 6e4; // a page that is left has 64 KB for all its requests together
const MESSAGE_BYTES = 32e3;
const BATCH = 100;
const SOON = 20; // so many messages do not wait for more
const MOST = 1000; // so many are kept while the service cannot be reached, or consent is waited for
const TIMEOUT_MS = 1e4;
const FIRST_WAIT_MS = 1e3;
const LONGEST_WAIT_MS = 3e5;
const LONGEST_RETRY_AFTER_MS = 36e5;

/**
 * Brings messages to the service: at least once from here, and once for good, since a message keeps its id.
 *
 * A message is on the shelf from the moment it is made until the service has taken it. One tab at a time sends what is on
 * the shelf, whoever made it; a page that is left hands what it made, and is not on its way, to the browser.
 */
export interface Sender {
  add(id: string, text: string): void;
  flush(): Promise<void>;
  /** Sends although an earlier failure asked to wait. */
  retry(): void;
  leave(): void;
  /** Whether a message still waits. */
  waits(id: string): boolean;
  /** Gives this page's messages that wait under one anonymous id another. */
  rename(from: string, to: string): void;
  clear(): void;
}

export function makeSender(options: Options, shelf: Shelf, mayItSend: () => unknown): Sender {
  const queue = `q.${options.writeKey}.`;
  const pause = `w.${options.writeKey}`; // failures in a row and the time to wait for, shared between tabs and pages
  const url = options.host + "/v1/batch";
  const pace = (options.flushSeconds || 3) * 1e3;
  const made = new Set<string>();
  let flying: string[] = [];
  let most = BATCH;
  let timer: unknown;
  let running = Promise.resolve();
  let next: Promise<void> | undefined;

  const drop = (name: string) => {
    made.delete(name);
    shelf.remove(name);
  };

  const schedule = (wait: number) => {
    timer ||= setTimeout(() => void flush(), wait);
  };

  /** The first names whose messages fit into one request, and its body. */
  const pack = (names: string[]): [string[], string] => {
    const taken: string[] = [];
    const texts: string[] = [];
    let size = 200;
    for (const name of names) {
      const text = shelf.get(name);
      if (!text) continue; // another tab was faster
      size += bytes(text) + 1;
      if (taken[0] && (size > BODY_BYTES || taken.length >= most)) break;
      taken.push(name);
      texts.push(text);
    }
    const head = JSON.stringify({ writeKey: options.writeKey, sentAt: new Date() });
    return [taken, `${head.slice(0, -1)},"batch":[${texts}]}`];
  };

  const post = (body: string, keepalive: boolean) =>
    fetch(url, {
      method: "POST",
      body,
      keepalive,
      credentials: "omit",
      signal: AbortSignal.timeout?.(TIMEOUT_MS),
    });

  const state = () => (shelf.get(pause) || "0 0").split(" ").map((part) => +part || 0) as [number, number];

  /** How long an earlier failure asks to wait, in ms; a clock that was set back must not make it days. */
  const wait = () => {
    const left = state()[1] - Date.now();
    return left > 0 && left <= LONGEST_RETRY_AFTER_MS ? left : 0;
  };

  const trim = () => {
    const lost = shelf.names(queue).slice(0, -MOST);
    if (lost[0]) console.warn("augury:", lost.length, "oldest events dropped");
    lost.forEach(drop);
  };

  const fail = (retryAfter: string | null | undefined) => {
    const failures = state()[0] + 1;
    const backoff = Math.min(FIRST_WAIT_MS * 2 ** (failures - 1), LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
    const asked = retryAfter ? +retryAfter * 1e3 || Date.parse(retryAfter) - Date.now() : 0;
    const until = Date.now() + Math.min(Math.max(backoff, asked || 0), LONGEST_RETRY_AFTER_MS);
    shelf.set(pause, failures + " " + until);
    trim();
    schedule(until - Date.now());
  };

  const drain = async () => {
    for (const name of made) shelf.get(name) || made.delete(name);
    for (;;) {
      if (!mayItSend()) return trim();
      const waiting = wait();
      const [names, body] = pack(shelf.names(queue));
      if (!names[0]) return;
      if (waiting) return schedule(waiting);
      flying = names;
      let response: Response | undefined;
      try {
        // Browsers refuse to keep more than 64 KB alive: a second try goes without.
        response = await post(body, !state()[0]);
        await response.text(); // until its answer is read, a request counts against what may be kept alive
      } catch {}
      flying = [];
      const status = response?.status;
      if (response?.ok) {
        names.forEach(drop);
        shelf.remove(pause);
      } else if (status != 400 && status != 413) {
        return fail(response?.headers.get("retry-after"));
      } else if (names[1]) {
        most = names.length >> 1; // find the one that is refused, send the others
      } else {
        drop(names[0]);
        most = BATCH;
      }
    }
  };

  const locked = async () => {
    try {
      // A tab that hangs, or that a phone has put to sleep, keeps its lock.
      await navigator.locks.request(queue, { signal: AbortSignal.timeout?.(TIMEOUT_MS) }, drain);
    } catch {
      // No lock to be had: two tabs may send one message twice, which the service notices.
      await drain().catch(() => {});
    }
  };

  const flush = (): Promise<void> => {
    clearTimeout(timer as number);
    timer = 0;
    // One that has not begun will see all that is here now; one that has may have looked already.
    return (next ||= running =
      running.then(() => {
        next = undefined;
        return locked();
      }));
  };

  schedule(pace); // for what earlier pages left

  return {
    add(id, text) {
      if (bytes(text) > MESSAGE_BYTES) throw Error("event over 32 KB");
      made.add(queue + id);
      shelf.set(queue + id, text);
      if (made.size < SOON) schedule(pace);
      else void flush();
    },
    flush,
    retry() {
      shelf.remove(pause);
      void flush();
    },
    leave() {
      if (!mayItSend() || (wait() && shelf.kept())) return;
      const [names, body] = pack([...made].filter((name) => !flying.includes(name)));
      if (names[0] && !navigator.sendBeacon?.(url, body)) post(body, true).catch(() => {});
    },
    waits: (id) => !!shelf.get(queue + id),
    rename(from, to) {
      for (const name of made) {
        const text = shelf.get(name);
        if (text) shelf.set(name, text.replace(from, to));
      }
    },
    clear: () => [...shelf.names(queue), pause].forEach(drop),
  };
}
