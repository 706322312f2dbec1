import { vi } from "vitest";
import { createCollector } from "../src/collector";
import type { Call, Collector, Message, Options } from "../src/types";

export interface Sent {
  url: string;
  init: RequestInit;
  ids: string[];
}

/** Stands for the service: keeps what it takes, and answers as told. */
export class Service {
  sent: Sent[] = [];
  /** Every message taken, once, in the order of arrival. */
  taken: Message[] = [];
  /** Messages that came again. */
  repeated = 0;
  beacons: string[] = [];
  /** Answers of the next requests; 200 when there are none. "down" is a network that fails. */
  answers: (number | "down" | { status: number; headers: Record<string, string> })[] = [];
  prediction: unknown = { probability: 0.25 };
  beacon = true;

  constructor() {
    vi.stubGlobal("fetch", vi.fn((url: string, init: RequestInit = {}) => this.#answer(url, init)));
    Object.defineProperty(navigator, "sendBeacon", {
      configurable: true,
      value: (_: string, body: string) => {
        if (this.beacon) {
          this.beacons.push(body);
          this.#take(body);
        }
        return this.beacon;
      },
    });
  }

  get events(): string[] {
    return this.taken.map((message) => message.event ?? message.type);
  }

  async #answer(url: string, init: RequestInit): Promise<Response> {
    const batch = init.body ? (JSON.parse(init.body as string).batch as Message[]) : [];
    this.sent.push({ url, init, ids: batch.map((message) => message.messageId) });
    const answer = this.answers.shift() ?? 200;
    if (answer === "down") throw new TypeError("Failed to fetch");
    const { status, headers } = typeof answer === "number" ? { status: answer, headers: {} } : answer;
    if (status !== 200) return new Response("{}", { status, headers });
    if (init.body) this.#take(init.body as string);
    return new Response(JSON.stringify(init.body ? { success: true } : this.prediction), { status });
  }

  #take(body: string): void {
    for (const message of JSON.parse(body).batch as Message[]) {
      if (this.taken.some((known) => known.messageId === message.messageId)) this.repeated++;
      else this.taken.push(message);
    }
  }
}

export const QUIET = { pages: false, clicks: false, engagement: false } as const;

/** A collector that records only what it is told to, unless options say more. */
export const collect = (options: Partial<Options> = {}, waiting: Call[] = []): Collector =>
  createCollector({ writeKey: "key", host: "https://collect.example", ...QUIET, ...options }, waiting);

/** Lets everything happen that is due within some milliseconds. */
export const pass = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

export const stored = (start = "augury.q."): string[] => Object.keys(localStorage).filter((key) => key.startsWith(start));

export const hide = (hidden: boolean): void => {
  Object.defineProperty(document, "visibilityState", { configurable: true, value: hidden ? "hidden" : "visible" });
  document.dispatchEvent(new Event("visibilitychange"));
};
