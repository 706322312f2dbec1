import { describe, expect, it, vi } from "vitest";
import { collect, pass, Service, stored } from "./service";

const retryAfter = (value: string) => ({ status: 429, headers: { "retry-after": value } });

describe("batches", () => {
  it("waits for company and sends one text/plain request without a preflight", async () => {
    const service = new Service();
    const augury = collect();
    augury.track("One");
    augury.track("Two", { price: 3 });
    await pass(2999);
    expect(service.sent).toEqual([]);
    await pass(1);
    expect(service.events).toEqual(["One", "Two"]);
    const [{ url, init }] = service.sent as [(typeof service.sent)[0]];
    expect(url).toBe("https://collect.example/v1/batch");
    expect(init).toMatchObject({ method: "POST", keepalive: true, credentials: "omit" });
    expect(init.headers).toBeUndefined(); // a text's own type is text/plain
    expect(JSON.parse(init.body as string)).toMatchObject({ writeKey: "key", sentAt: "2026-03-01T12:00:03.000Z" });
    expect(stored()).toEqual([]);
  });

  it("does not wait when there is company enough", async () => {
    const service = new Service();
    const augury = collect();
    for (let i = 0; i < 20; i++) augury.track(`E${i}`);
    await pass();
    expect(service.events).toHaveLength(20);
    expect(service.sent).toHaveLength(1);
  });

  it("stays below what browsers keep alive, counting bytes and not characters", async () => {
    const service = new Service();
    const augury = collect();
    for (let i = 0; i < 9; i++) augury.track("Note", { text: "€".repeat(5000) });
    await pass(3000);
    expect(service.taken).toHaveLength(9);
    expect(service.sent.length).toBeGreaterThan(2);
    for (const { init } of service.sent) expect(new Blob([init.body as string]).size).toBeLessThan(64_000);
  });

  it("follow each other without a failure: an answer that is not read counts against what is kept alive", async () => {
    const service = new Service();
    const answer = fetch;
    let alive = 0;
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      const size = init.keepalive ? (init.body as string).length : 0;
      if (alive + size > 65_536) throw new TypeError("Failed to fetch"); // as Chromium does
      alive += size;
      const response = await answer(url, init);
      const text = await response.text();
      return Object.assign(response, { text: async () => ((alive -= size), text) });
    });
    const augury = collect({ model: "purchase" });
    for (let index = 0; index < 19; index++) augury.track("Long", { text: "x".repeat(12_000) });
    service.prediction = { probability: 0.5 };
    expect(await augury.predictionPoint("cart")).not.toBeNull();
    expect(service.taken).toHaveLength(20);
  });

  it("refuses an event that the service would refuse, and says so", async () => {
    const service = new Service();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const augury = collect();
    augury.track("Huge", { text: "x".repeat(32_000) });
    augury.track("Small");
    await pass(3000);
    expect(service.events).toEqual(["Small"]);
    expect(warn).toHaveBeenCalledWith("augury:", Error("event over 32 KB"));
  });

  it("makes JSON that every parser takes of a text cut within a character", async () => {
    const service = new Service();
    collect().track("Cut", { text: "shoe 👟".slice(0, 6), whole: "👟" });
    await pass(3000);
    expect(service.taken[0]!.properties).toEqual({ text: "shoe �", whole: "👟" });
  });
});

describe("a question that is never answered", () => {
  it("fills no memory without end: the oldest go, which is said", async () => {
    const service = new Service();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const augury = collect({ requireConsent: true });
    for (let index = 0; index < 1200; index++) augury.track(`E${index}`);
    await pass(3000);
    expect(warn).toHaveBeenCalled();
    augury.consent(true);
    await pass(60_000);
    expect(service.events).toHaveLength(1000);
    expect(service.events.at(-1)).toBe("E1199");
  });
});

describe("a service that cannot be reached", () => {
  it("is asked again later and later, with the same message ids, and gets everything once", async () => {
    const service = new Service();
    service.answers = ["down", 503, 500, 401];
    collect().track("Kept");
    await pass(3000);
    // with random() at 0.5: 0.75 s, 1.5 s, 3 s, 6 s
    for (const [wait, tries] of [[749, 1], [1, 2], [1499, 2], [1, 3], [2999, 3], [1, 4], [5999, 4], [1, 5]] as const) {
      await pass(wait);
      expect(service.sent).toHaveLength(tries);
    }
    expect(new Set(service.sent.map(({ ids }) => ids.join()))).toEqual(new Set([service.taken[0]!.messageId]));
    expect(service.repeated).toBe(0);
    expect(stored("augury.w.")).toEqual([]);
  });

  it("is not asked more often than every five minutes at worst, each try at another moment", async () => {
    const service = new Service();
    service.answers = Array(30).fill("down");
    collect().track("Kept");
    await pass(3_600_000);
    const before = service.sent.length;
    vi.spyOn(Math, "random").mockReturnValue(1);
    await pass(600_000);
    expect(service.sent.length - before).toBeLessThanOrEqual(3);
  });

  it("says itself when to come back: in seconds or as a date", async () => {
    const service = new Service();
    service.answers = [retryAfter("90"), retryAfter("Sun, 01 Mar 2026 12:05:00 GMT")];
    collect().track("Kept");
    await pass(3000 + 89_999);
    expect(service.sent).toHaveLength(1);
    await pass(1);
    expect(service.sent).toHaveLength(2);
    await pass(300_000 - 93_001);
    expect(service.sent).toHaveLength(2);
    await pass(1);
    expect(service.events).toEqual(["Kept"]);
  });

  it("is left alone by the next page too, for as long as it asked", async () => {
    const service = new Service();
    service.answers = [retryAfter("90")];
    collect().track("First page");
    await pass(3000);
    collect().track("Second page");
    await pass(80_000);
    expect(service.sent).toHaveLength(1);
    await pass(10_000);
    expect(service.events).toEqual(["First page", "Second page"]);
    expect(service.repeated).toBe(0);
  });

  it("is asked at once when the network is back", async () => {
    const service = new Service();
    service.answers = Array(8).fill("down");
    collect().track("Off-line");
    await pass(100_000);
    service.answers = [];
    window.dispatchEvent(new Event("online"));
    await pass();
    expect(service.events).toEqual(["Off-line"]);
  });

  it("does not wait for days because a clock was set back", async () => {
    const service = new Service();
    localStorage.setItem("augury.w.key", `3 ${Date.now() + 86_400_000}`);
    collect().track("Now");
    await pass(3000);
    expect(service.events).toEqual(["Now"]);
  });

  it("is not asked without a pause where something else was found in storage", async () => {
    const service = new Service();
    localStorage.setItem("augury.w.key", "garbage");
    service.answers = Array(50).fill(500);
    collect().track("Once");
    await pass(10_000);
    expect(service.sent.length).toBeLessThan(6);
  });

  it("gets a second try without keepalive, which has a limit of its own", async () => {
    const service = new Service();
    service.answers = ["down"];
    collect().track("Kept");
    await pass(10_000);
    expect(service.sent.map(({ init }) => init.keepalive)).toEqual([true, false]);
  });

  it("loses the oldest, and says so, only beyond a thousand", async () => {
    const service = new Service();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    service.answers = ["down"];
    const augury = collect();
    for (let i = 0; i < 1003; i++) augury.track(`E${i}`);
    await pass(60_000);
    expect(warn).toHaveBeenCalledWith("augury:", 3, "oldest events dropped");
    expect(service.events).toEqual(Array.from({ length: 1000 }, (_, i) => `E${i + 3}`));
  });
});

describe("a refused batch", () => {
  it("is cut until the one bad message is found; all others arrive", async () => {
    const service = new Service();
    const augury = collect();
    for (let i = 0; i < 8; i++) augury.track(i === 5 ? "Bad" : `E${i}`);
    const good = globalThis.fetch;
    vi.stubGlobal("fetch", (url: string, init: RequestInit) =>
      (init.body as string).includes('"Bad"') ? Promise.resolve(new Response("{}", { status: 400 })) : good(url, init),
    );
    await pass(3000);
    expect(service.events).toEqual(["E0", "E1", "E2", "E3", "E4", "E6", "E7"]);
    expect(stored()).toEqual([]);
    expect(service.repeated).toBe(0);
  });

  it("is made smaller when it is too large for somebody on the way", async () => {
    const service = new Service();
    service.answers = [413];
    const augury = collect();
    for (let i = 0; i < 4; i++) augury.track(`E${i}`);
    await pass(3000);
    expect(service.sent.map(({ ids }) => ids.length)).toEqual([4, 2, 2]);
    expect(service.events).toEqual(["E0", "E1", "E2", "E3"]);
  });
});

describe("a page that is left", () => {
  it("hands what waits to the browser; if that got lost, the next page sends it again under the same id", async () => {
    const service = new Service();
    collect().track("Last words");
    window.dispatchEvent(new Event("pagehide"));
    expect(service.beacons).toHaveLength(1);
    expect(stored()).toHaveLength(1); // nobody has said yet that it arrived
    collect();
    await pass(3000);
    expect(service.events).toEqual(["Last words"]);
    expect(service.repeated).toBe(1); // by its id the service knows
    expect(stored()).toEqual([]);
  });

  it("uses a kept-alive request where the browser takes no beacon", async () => {
    const service = new Service();
    service.beacon = false;
    collect().track("Last words");
    window.dispatchEvent(new Event("pagehide"));
    expect(service.sent[0]!.init.keepalive).toBe(true);
    await pass();
    expect(service.events).toEqual(["Last words"]);
  });

  it("does not send what is on its way already, nor more than a beacon may hold", async () => {
    const service = new Service();
    const augury = collect();
    augury.track("On its way");
    await pass(2999);
    vi.stubGlobal("fetch", () => new Promise(() => {}));
    await pass(1);
    for (let i = 0; i < 5; i++) augury.track(`E${i}`, { text: "x".repeat(20_000) });
    window.dispatchEvent(new Event("pagehide"));
    expect(service.events).toEqual(["E0", "E1"]);
    expect(new Blob(service.beacons).size).toBeLessThan(64_000);
  });

  it("leaves a service alone that asked to wait: the next page sends", async () => {
    const service = new Service();
    service.answers = [retryAfter("90")];
    const augury = collect();
    augury.track("Kept");
    await pass(3000);
    window.dispatchEvent(new Event("pagehide"));
    expect(service.beacons).toEqual([]);
    expect(stored()).toHaveLength(1);
  });

  it("sends while it is hidden: a phone may never say more", async () => {
    const service = new Service();
    collect().track("Hidden");
    const state = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    document.dispatchEvent(new Event("visibilitychange"));
    state.mockRestore();
    await pass();
    expect(service.events).toEqual(["Hidden"]);
  });
});

describe("several tabs", () => {
  it("share the queue: one sends for all, and nothing is sent twice", async () => {
    const service = new Service();
    let last: Promise<unknown> = Promise.resolve();
    const locks = { request: (_: string, __: LockOptions, work: () => unknown) => (last = last.then(work)) };
    Object.defineProperty(navigator, "locks", { configurable: true, value: locks });
    const [one, two] = [collect(), collect()];
    for (const [tab, name] of [[one, "A"], [two, "B"], [one, "C"]] as const) {
      tab.track(name);
      await pass(1);
    }
    await pass(3000);
    expect(service.sent).toHaveLength(1);
    expect(service.events).toEqual(["A", "B", "C"]);
    two.track("D");
    await pass(3000);
    expect(service.events).toEqual(["A", "B", "C", "D"]);
    expect(service.repeated).toBe(0);
    delete (navigator as any).locks;
  });

  it("do not wait without end for one that hangs, or that the system has put to sleep", async () => {
    const service = new Service();
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), ms);
      return controller.signal;
    });
    const request = (_: string, { signal }: LockOptions) =>
      new Promise((_, refuse) => signal?.addEventListener("abort", () => refuse(signal.reason)));
    Object.defineProperty(navigator, "locks", { configurable: true, value: { request } });
    const answer = collect({ model: "purchase" }).predictionPoint("cart");
    await pass(15_000);
    delete (navigator as any).locks;
    expect(service.events).toEqual(["Prediction Point"]);
    expect(await answer).toEqual({ probability: 0.25 });
  });

  it("without locks may both send, under the same ids", async () => {
    const service = new Service();
    collect().track("A");
    collect().track("B");
    await pass(3000);
    expect(service.events.sort()).toEqual(["A", "B"]);
    expect(stored()).toEqual([]);
  });

  it("with other write keys keep to their own messages", async () => {
    const service = new Service();
    collect().track("Mine");
    collect({ writeKey: "other" }).track("Theirs");
    await pass(3000);
    const keys = service.sent.map(({ init }) => JSON.parse(init.body as string));
    expect(keys.map(({ writeKey, batch }) => [writeKey, batch.map((m: any) => m.event)])).toEqual([
      ["key", ["Mine"]],
      ["other", ["Theirs"]],
    ]);
  });
});

describe("storage", () => {
  it("that is full or blocked is done without", async () => {
    const service = new Service();
    vi.stubGlobal("localStorage", {
      getItem: () => null,
      removeItem() {},
      setItem() {
        throw new DOMException("full", "QuotaExceededError");
      },
    });
    collect().track("Kept in memory");
    await pass(3000);
    expect(service.events).toEqual(["Kept in memory"]);
    vi.stubGlobal("localStorage", undefined);
    collect().track("Again");
    await pass(3000);
    expect(service.events).toEqual(["Kept in memory", "Again"]);
  });

  it("keeps what was not sent when the browser ended; the next page sends it, oldest first", async () => {
    const service = new Service();
    service.answers = ["down"];
    const augury = collect();
    augury.track("One");
    await pass(5);
    augury.track("Two");
    await pass(2995);
    service.answers = [];
    await pass(60_000);
    expect(service.events).toEqual(["One", "Two"]);
  });
});
