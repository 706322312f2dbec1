import { describe, expect, it, vi } from "vitest";
import type { Collector, Message } from "../src/types";
import { collect, hide, pass, Service, stored } from "./service";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("a message", () => {
  it("is what Segment's specification says", async () => {
    const service = new Service();
    document.title = "Shoes";
    collect().track("Product Added", { product_id: "p1", price: 25 });
    await pass(3000);
    expect(service.taken[0]).toEqual({
      type: "track",
      event: "Product Added",
      properties: { product_id: "p1", price: 25 },
      messageId: expect.stringMatching(/^mm7p6yo01000-[0-9a-f-]{36}$/),
      anonymousId: expect.stringMatching(UUID),
      timestamp: "2026-03-01T12:00:00.000Z",
      context: {
        page: {
          url: "https://shop.example/shoes?size=42#top",
          path: "/shoes",
          search: "?size=42",
          title: "Shoes",
        },
        userAgent: navigator.userAgent,
        locale: "en-US",
        timezone: expect.any(String),
        screen: { width: expect.any(Number), height: expect.any(Number), density: 1 },
        library: { name: "augury.js", version: "1.2.3" },
        sessionId: expect.stringMatching(UUID),
      },
    });
  });

  it("sorts after those before it, in one millisecond too", async () => {
    const service = new Service();
    const augury = collect();
    for (let i = 0; i < 50; i++) augury.track(`E${i}`);
    await pass(3000);
    const ids = service.taken.map(({ messageId }) => messageId);
    expect([...ids].sort()).toEqual(ids);
    expect(service.events[49]).toBe("E49");
  });

  it("can be changed or dropped before it is stored", async () => {
    const service = new Service();
    const augury = collect({
      beforeSend: (message) => (message.event === "Secret" ? null : { ...message, properties: { cut: true } }),
    });
    augury.track("Secret");
    augury.track("Open", { whole: true });
    await pass(3000);
    expect(service.taken.map(({ event, properties }) => [event, properties])).toEqual([["Open", { cut: true }]]);
  });
});

describe("nothing is thrown into the page", () => {
  it("whatever it hands over", async () => {
    const service = new Service();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const augury = collect({ beforeSend: (message) => (message.event === "Trap" ? (null as any).x : message) });
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    augury.track("Circle", circle);
    augury.track("Big", { n: 1n });
    augury.track("Trap");
    augury.push(["noSuchMethod"] as any, null as any, () => {
      throw Error("the page's own");
    });
    augury.track(7 as any);
    expect(await augury.predictionPoint("circle", circle)).toBeNull();
    expect(warn).toHaveBeenCalledTimes(7);
    await pass(3000);
    expect(service.events).toEqual(["7"]);
  });

  it("nor by a browser without any storage, locks, beacons or fetch", async () => {
    vi.stubGlobal("localStorage", undefined);
    vi.stubGlobal("fetch", undefined);
    Object.defineProperty(navigator, "sendBeacon", { configurable: true, value: undefined });
    vi.spyOn(document, "cookie", "get").mockImplementation(() => {
      throw new DOMException("sandboxed", "SecurityError");
    });
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const augury = collect({ pages: true, model: "purchase" });
    augury.track("Into the void");
    await pass(10_000);
    expect(await augury.predictionPoint("void")).toBeNull();
    expect(() => window.dispatchEvent(new Event("pagehide"))).not.toThrow();
  });
});

describe("what fails", () => {
  const trap = (event: string) => (message: Message) => {
    if ((message.event ?? message.type) === event) throw Error("the page's own");
    return message;
  };

  it("for one event keeps nothing else from being recorded", async () => {
    const service = new Service();
    vi.spyOn(console, "warn").mockImplementation(() => {});
    collect({ pages: true, clicks: true, engagement: true, beforeSend: trap("page") });
    await pass(1000);
    document.body.click();
    hide(true);
    await pass();
    expect(service.events).toEqual(["Element Clicked", "Page Left"]);
    hide(false);
    collect({ pages: true, engagement: true, beforeSend: trap("Page Left"), writeKey: "other" });
    await pass(3000);
    history.pushState({}, "", "/cart");
    window.dispatchEvent(new Event("pagehide"));
    expect(service.beacons.join()).toContain("/cart");
  });

  it("to follow navigation, as on a page that has sealed its history, leaves the rest at work", async () => {
    const service = new Service();
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const { pushState } = history;
    Object.defineProperty(history, "pushState", { configurable: true, value: pushState, writable: false });
    collect({ pages: true, clicks: true });
    Object.defineProperty(history, "pushState", { configurable: true, value: pushState, writable: true });
    document.body.click();
    await pass(3000);
    expect(service.events).toEqual(["page", "Element Clicked"]);
  });
});

describe("visitor and session", () => {
  it("are the same on the next page, in cookie and localStorage", async () => {
    const service = new Service();
    collect().track("One");
    const id = collect().anonymousId();
    collect().track("Two");
    await pass(3000);
    expect(service.taken.map(({ anonymousId }) => anonymousId)).toEqual([id, id]);
    expect(new Set(service.taken.map(({ context }) => context.sessionId)).size).toBe(1);
    expect(document.cookie).toContain(`augury_id=${id}`);
    localStorage.removeItem("augury.id");
    expect(collect().anonymousId()).toBe(id);
    document.cookie = "augury_id=;path=/;max-age=-1";
    expect(collect().anonymousId()).toBe(id);
  });

  it("begin a new session after half an hour without an event, in all tabs", async () => {
    const service = new Service();
    const [one, two] = [collect(), collect()];
    one.track("A");
    await pass(29 * 60_000);
    two.track("B");
    await pass(29 * 60_000);
    one.track("C");
    await pass(30 * 60_000 + 1);
    two.track("D");
    one.track("E");
    await pass(3000);
    const sessions = service.taken.map(({ context }) => context.sessionId);
    expect(new Set(sessions.slice(0, 3)).size).toBe(1);
    expect(sessions[3]).not.toBe(sessions[0]);
    expect(sessions[4]).toBe(sessions[3]);
  });

  it("identify and reset", async () => {
    const service = new Service();
    const augury = collect();
    const before = augury.anonymousId();
    augury.identify("u7", { plan: "gold" });
    augury.track("Known");
    augury.reset();
    augury.track("Unknown");
    augury.identify(12 as any);
    await pass(3000);
    const [identified, known, unknown, numbered] = service.taken as any[];
    expect(identified).toMatchObject({ type: "identify", userId: "u7", traits: { plan: "gold" }, anonymousId: before });
    expect(known).toMatchObject({ userId: "u7", anonymousId: before });
    expect(unknown.userId).toBeUndefined();
    expect(unknown.anonymousId).not.toBe(before);
    expect(unknown.context.sessionId).not.toBe(known.context.sessionId);
    expect(numbered.userId).toBe("12");
  });
});

describe("a user", () => {
  it.each([[undefined], [null], [""], [{ email: "ann@shop.example" }], [NaN]])("is not %j", async (id) => {
    const service = new Service();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const augury = collect();
    augury.identify(id as any, { plan: "pro" });
    augury.track("Later");
    await pass(3000);
    expect(service.taken.map((message) => [message.event, message.userId])).toEqual([["Later", undefined]]);
    expect(String(warn.mock.calls[0]![1])).toContain("user id");
  });
});

describe("consent", () => {
  const traces = () => [...Object.keys(localStorage), ...document.cookie.split("; ").filter(Boolean)];

  it("is waited for: nothing is stored or sent before, nothing is lost after", async () => {
    const service = new Service();
    const augury = collect({ requireConsent: true, pages: true });
    augury.track("Early");
    const id = augury.anonymousId();
    await pass(60_000);
    window.dispatchEvent(new Event("pagehide"));
    expect([service.sent, service.beacons, traces()]).toEqual([[], [], []]);
    augury.consent({ analytics: true, ads: false });
    augury.track("Late");
    await pass(3000);
    expect(service.events).toEqual(["page", "Early", "Late"]);
    expect(new Set(service.taken.map(({ anonymousId }) => anonymousId))).toEqual(new Set([id]));
    expect(service.taken[2]!.context.consent).toEqual({ categoryPreferences: { analytics: true, ads: false } });
    expect(service.taken[0]!.context.consent).toBeUndefined();
    expect(document.cookie).toContain(id);
    collect({ requireConsent: true }).track("Next page");
    await pass(3000);
    expect(service.events[3]).toBe("Next page");
  });

  it("given in one of several tabs leaves them one visitor, the one that the device knows", async () => {
    const service = new Service();
    const [one, two, idle] = Array.from({ length: 3 }, () => collect({ requireConsent: true })) as [Collector, Collector, Collector];
    one.track("One");
    two.track("Two");
    idle.track("Idle");
    const id = one.anonymousId();
    one.consent(true);
    one.track("Three");
    two.track("Four");
    one.track("Five");
    await pass(3000);
    expect(service.taken.map(({ event, anonymousId }) => [event, anonymousId]).sort()).toEqual(
      ["Five", "Four", "Idle", "One", "Three", "Two"].map((name) => [name, id]),
    );
    expect(new Set(service.taken.filter(({ event }) => !/Two|Idle/.test(event!)).map(({ context }) => context.sessionId)).size).toBe(1);
    expect(document.cookie).toContain(id);
    localStorage.clear();
    const again = collect({ requireConsent: true });
    again.track("Asked again");
    again.consent(true);
    await pass(3000);
    expect(service.taken[6]).toMatchObject({ event: "Asked again", anonymousId: id });
  });

  it("refused removes all but the refusal, and holds on the next page and in other tabs", async () => {
    const service = new Service();
    const [augury, other] = [collect(), collect()];
    augury.track("Stored");
    augury.identify("u1");
    localStorage.setItem("augury.w.key", "0 0"); // as a failure leaves it
    augury.optOut();
    other.track("Elsewhere");
    augury.track("After");
    collect({ pages: true }).track("Next page");
    expect(other.anonymousId()).toBe("");
    await pass(60_000);
    window.dispatchEvent(new Event("pagehide"));
    expect([service.sent, service.beacons, traces()]).toEqual([[], [], ["augury.consent"]]);
    augury.consent(true);
    other.track("Again");
    await pass(3000);
    expect(service.events).toEqual(["Again"]);
    expect(service.taken[0]!.userId).toBeUndefined();
  });

  it("refused in every category is refused; what waited is dropped, and what earlier visits left", async () => {
    const service = new Service();
    collect().anonymousId();
    const augury = collect({ requireConsent: true });
    augury.track("Early");
    augury.consent({ analytics: false, ads: false });
    await pass(60_000);
    expect([service.sent, traces()]).toEqual([[], ["augury.consent"]]);
  });

  it("asked for by a call that waited comes before everything else", async () => {
    const service = new Service();
    collect({ pages: true }, [["track", "Bought"], ["consent", false]]);
    await pass(60_000);
    expect([service.sent, traces()]).toEqual([[], ["augury.consent"]]);
  });

  it.each([["globalPrivacyControl", true], ["doNotTrack", "1"]])("is not given by %s", async (name, value) => {
    const service = new Service();
    Object.defineProperty(navigator, name, { configurable: true, value });
    const augury = collect();
    augury.track("Unwanted");
    collect({ honourDnt: false }).track("Asked for elsewhere");
    await pass(3000);
    augury.consent(true);
    augury.track("Wanted");
    await pass(3000);
    Reflect.deleteProperty(navigator, name);
    expect(service.events).toEqual(["Asked for elsewhere", "Wanted"]);
  });

  it.each([true, false])("answered with %s is kept in memory where the browser refuses to store", async (choice) => {
    const service = new Service();
    let tries = 0;
    // Gives in at last: without a limit, this test would never end where the library does not.
    vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
      if (tries++ < 1000) throw new DOMException("full", "QuotaExceededError");
    });
    const augury = collect({ requireConsent: true });
    augury.track("Early");
    augury.consent(choice);
    expect(tries).toBeLessThan(20);
    await pass(3000);
    expect(service.events).toEqual(choice ? ["Early"] : []);
  });

  it("is not needed to store nothing: the modes without cookie and without storage", async () => {
    const service = new Service();
    collect({ storage: "local" }).track("Local");
    expect([document.cookie, localStorage.getItem("augury.id")]).toEqual(["", expect.stringMatching(UUID)]);
    localStorage.clear();
    const augury = collect({ storage: "none", pages: true });
    augury.track("None");
    expect(traces()).toEqual([]);
    await pass(3000);
    expect(service.events).toEqual(["page", "None"]);
    expect(service.taken[0]!.anonymousId).toBe(service.taken[1]!.anonymousId);
    expect(collect({ storage: "none" }).anonymousId()).not.toBe(service.taken[0]!.anonymousId);
  });
});

describe("without storage", () => {
  it("nothing is stored after a no and a yes either", async () => {
    const service = new Service();
    const augury = collect({ storage: "none" });
    augury.optOut();
    augury.consent(true);
    augury.track("Kept in memory");
    augury.identify("u1");
    expect(Object.keys(localStorage)).toEqual(["augury.consent"]);
    await pass(3000);
    expect(service.events).toEqual(["Kept in memory", "identify"]);
  });
});

describe("a prediction point", () => {
  it("is recorded, sent at once and answered", async () => {
    const service = new Service();
    const augury = collect({ model: "purchase", host: "https://collect.example/" });
    const answer = augury.predictionPoint("cart", { items: 2 });
    await pass();
    expect(await answer).toEqual({ probability: 0.25 });
    expect(service.taken[0]).toMatchObject({ event: "Prediction Point", properties: { name: "cart", items: 2 } });
    const id = augury.anonymousId();
    expect(service.sent[1]!.url).toBe(`https://collect.example/v1/predict/purchase/${id}?writeKey=key`);
    expect(service.sent[1]!.init.method).toBeUndefined();
  });

  it("waits for a request that left before it, and asks only after its own event has arrived", async () => {
    const service = new Service();
    const good = globalThis.fetch;
    const slow = vi.fn((...args: Parameters<typeof fetch>) =>
      new Promise((done) => setTimeout(done, 500)).then(() => good(...args)),
    );
    vi.stubGlobal("fetch", slow);
    const augury = collect({ model: "purchase" });
    augury.track("Before");
    await pass(3100);
    const answer = augury.predictionPoint("cart");
    await pass(2000);
    expect(await answer).toEqual({ probability: 0.25 });
    expect(service.sent.map(({ ids }) => ids.length)).toEqual([1, 1, 0]);
  });

  it.each([
    ["there is no model", {}, []],
    ["the network is down", { model: "purchase" }, ["down"]],
    ["the service has none", { model: "purchase" }, [200, 503]],
    ["the answer is lost", { model: "purchase" }, [200, "down"]],
  ])("resolves to null where %s, and stays recorded", async (_, options, answers) => {
    const service = new Service();
    service.answers = answers as Service["answers"];
    const answer = collect(options).predictionPoint("cart");
    await pass(10_000);
    expect(await answer).toBeNull();
    expect(service.events).toEqual(["Prediction Point"]);
    expect(stored()).toEqual([]);
  });
});

describe("visible time and scroll depth", () => {
  const scroll = (top: number) => {
    vi.stubGlobal("scrollY", top);
    document.dispatchEvent(new Event("scroll"));
  };

  it("are told when a page is left, counting only while it could be seen", async () => {
    const service = new Service();
    vi.stubGlobal("innerHeight", 600);
    vi.spyOn(document.documentElement, "scrollHeight", "get").mockReturnValue(2400);
    collect({ pages: true, engagement: true });
    await pass(5000);
    scroll(600);
    scroll(100);
    hide(true);
    await pass(60_000);
    hide(false);
    await pass(400);
    hide(true); // a glance: kept for later
    await pass(1000);
    hide(false);
    await pass(2000);
    scroll(1800);
    window.dispatchEvent(new Event("pagehide"));
    const left = service.taken.filter(({ event }) => event === "Page Left").map(({ properties }) => properties);
    expect(left).toEqual([
      { visible_seconds: 5, scroll_depth: 0.5, page_height: 2400 },
      { visible_seconds: 2.4, scroll_depth: 1, page_height: 2400 },
    ]);
  });

  it("belong to the page that was left, not to the one that is shown next", async () => {
    const service = new Service();
    collect({ pages: true, engagement: true });
    await pass(1000);
    history.pushState(null, "", "/cart");
    await pass(500);
    window.dispatchEvent(new Event("pagehide"));
    expect(service.taken.map((m: any) => [m.event ?? m.type, m.context.page.path])).toEqual([
      ["page", "/shoes"],
      ["Page Left", "/shoes"],
      ["page", "/cart"],
      ["Page Left", "/cart"],
    ]);
    expect(service.taken[3]!.properties!.visible_seconds).toBe(0.5);
  });
});
