import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
// @ts-expect-error: plain JavaScript
import { bundle, packedSize } from "../build.mjs";
import { pass, Service } from "./service";

const root = join(import.meta.dirname, "..");
const script: Promise<string> = bundle("script", "iife");

/** Runs the built script as a tag with these attributes would. */
async function tag(attributes: Record<string, string>, src = "https://collect.example/augury.js"): Promise<void> {
  const element = document.createElement("script");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  vi.spyOn(element, "src", "get").mockReturnValue(src);
  Object.defineProperty(document, "currentScript", { configurable: true, value: element });
  try {
    new Function(await script)();
  } finally {
    Reflect.deleteProperty(document, "currentScript");
  }
}

describe("the script tag", () => {
  it("sets itself up and makes the calls that waited, in order, after the page view", async () => {
    const service = new Service();
    const answers: unknown[] = [];
    const augury: any[] = ((window as any).augury = []);
    augury.push(["identify", "u1"]);
    augury.push(["track", "Product Viewed", { product_id: "p1" }]);
    augury.push((a: any) => a.predictionPoint("top").then((answer: unknown) => answers.push(answer)));
    await tag({ "data-write-key": "key", "data-model": "purchase" });
    (window as any).augury.push(["track", "Later"]);
    await pass();
    await pass(3000);
    expect(service.events).toEqual(["page", "identify", "Product Viewed", "Prediction Point", "Later"]);
    expect(service.sent[0]!.url).toBe("https://collect.example/v1/batch");
    expect(service.sent.map(({ url }) => url).join()).toContain("/v1/predict/purchase/");
    expect(answers).toEqual([{ probability: 0.25 }]);
  });

  it("makes calls that are pushed while it makes those that waited, and later onto the array it found", async () => {
    const service = new Service();
    const found: any[] = ((window as any).augury = []);
    found.push(() => (window as any).augury.push(["track", "Within"]));
    found.push(["track", "Next"]);
    await tag({ "data-write-key": "key", "data-pages": "false" });
    found.push(["track", "Kept by the page"]);
    await pass(3000);
    expect(service.events).toEqual(["Within", "Next", "Kept by the page"]);
  });

  it("does nothing while a page is rendered ahead of time: nobody may ever see it", async () => {
    const service = new Service();
    Object.defineProperty(document, "prerendering", { configurable: true, value: true });
    (window as any).augury = [["track", "Product Viewed"]];
    await tag({ "data-write-key": "key" });
    await tag({ "data-write-key": "key" });
    (window as any).augury.push(["track", "Still hidden"]);
    await pass(3000);
    window.dispatchEvent(new Event("pagehide"));
    expect([service.sent, service.beacons, Object.keys(localStorage)]).toEqual([[], [], []]);
    Reflect.deleteProperty(document, "prerendering");
    document.dispatchEvent(new Event("prerenderingchange"));
    await pass(3000);
    expect(service.events).toEqual(["page", "Product Viewed", "Still hidden"]);
  });

  it("takes every option as an attribute", async () => {
    const service = new Service();
    const attributes = {
      "data-write-key": "key",
      "data-host": "https://elsewhere.example",
      "data-storage": "none",
      "data-pages": "false",
      "data-flush-seconds": "1",
    };
    await tag(attributes);
    (window as any).augury.track("Quick");
    await pass(1000);
    expect(service.events).toEqual(["Quick"]);
    expect(service.sent[0]!.url).toBe("https://elsewhere.example/v1/batch");
    expect(document.cookie + localStorage.length).toBe("0");
  });

  it("waits for consent where an attribute says so", async () => {
    const service = new Service();
    await tag({ "data-write-key": "key", "data-require-consent": "true" });
    await pass(3000);
    expect(service.sent).toEqual([]);
    (window as any).augury.consent(true);
    await pass();
    expect(service.events).toEqual(["page"]);
  });

  it("works below a folder, and only once a page", async () => {
    const service = new Service();
    await tag({ "data-write-key": "key" }, "https://shop.example/stats/augury.js?v=2");
    await tag({ "data-write-key": "key" }, "https://shop.example/stats/augury.js?v=2");
    await pass(3000);
    expect(service.events).toEqual(["page"]);
    expect(service.sent[0]!.url).toBe("https://shop.example/stats/v1/batch");
  });

  it("says what is missing and leaves the page alone", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await tag({});
    expect(warn).toHaveBeenCalledWith("augury:", expect.objectContaining({ message: expect.stringContaining("data-write-key") }));
    expect((window as any).augury).toBeUndefined();
  });
});

describe("the build", () => {
  it("is at most 5,120 bytes under gzip -9", async () => {
    expect(packedSize(await script)).toBeLessThanOrEqual(5120);
    expect(execFileSync("gzip", ["-9", "-n", "-c"], { input: await script }).length).toBeLessThanOrEqual(5120);
  });

  it("is what the service serves; if not: npm run build", async () => {
    expect(readFileSync(join(root, "../serving/static/augury.js"), "utf8")).toBe(await script);
  });

  it("gives the same bytes again", async () => {
    expect(await bundle("script", "iife")).toBe(await script);
  });

  it("needs nothing at run time, and leaves nothing behind but window.augury", async () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(dependencies).toBeUndefined();
    const module = await bundle("index", "esm");
    expect(module).toMatch(/export\s*\{\s*\w+ as createCollector\s*\}/);
    expect(module).not.toMatch(/\bimport\b/);
    const before = Object.keys(window);
    new Service();
    await tag({ "data-write-key": "key" });
    expect(Object.keys(window).filter((name) => !before.includes(name))).toEqual(["augury"]);
  });

  it("is described by the guide, every option and method of it", () => {
    const types = readFileSync(join(root, "src/types.ts"), "utf8");
    const guide = readFileSync(join(root, "../docs/browser-library.md"), "utf8");
    const members = (name: string) =>
      [...types.split(`interface ${name} {`)[1]!.split("\n}")[0]!.matchAll(/^  (\w+)[?:(]/gm)].map((found) => found[1]);
    expect(members("Options")).toContain("requireConsent");
    expect(members("Collector")).toContain("predictionPoint");
    const missing = [...members("Options"), ...members("Collector")].filter((name) => !RegExp(`[\`.]${name}\\b`).test(guide));
    expect(missing).toEqual([]);
  });

  it("comes from a lock file that names packages and no addresses", () => {
    expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toContain("://");
  });
});
