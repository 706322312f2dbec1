// Segment's browser library, as npm has it, in a page: only its cdnURL is ours.
import { build } from "esbuild";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { answer, browsing, site } from "./browser.mjs";

const ENTRY = `
import { AnalyticsBrowser } from "@segment/analytics-next";
window.start = (writeKey, cdnURL) => AnalyticsBrowser.load({ writeKey, cdnURL }, SETTINGS);
`;

await answer(async ({ service, key, chromium, settings }) => {
  const bundled = await build({
    stdin: { contents: ENTRY, resolveDir: dirname(fileURLToPath(import.meta.url)) },
    bundle: true,
    write: false,
    format: "iife",
    define: { SETTINGS: JSON.stringify(settings ?? {}), "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  });
  const pages = {
    "/": `<!doctype html><title>Shop</title><script src="/bundle.js"></script><h1>Shop</h1>`,
    "/bundle.js": ["text/javascript", bundled.outputFiles[0].text],
  };
  return site(pages, (shop) =>
    browsing(chromium, async (context) => {
      const tab = await context.newPage();
      const strangers = [];
      tab.on("request", (request) => {
        const { origin } = new URL(request.url());
        if (origin !== shop && origin !== service) strangers.push(request.url());
      });
      const sent = [];
      tab.on("response", (response) => {
        const request = response.request();
        if (request.method() === "POST") sent.push([new URL(request.url()).pathname, response.status()]);
      });
      await tab.goto(shop + "/?utm_campaign=spring");
      const made = await tab.evaluate(
        async ([key, service]) => {
          const [analytics] = await window.start(key, service);
          const made = [];
          const note = async (call) => {
            const { event } = await call;
            made.push([event.type, event.messageId, event.anonymousId, event.userId ?? null]);
          };
          await note(analytics.page("Home"));
          for (let i = 0; i < 20; i++) await note(analytics.track("Product Viewed", { product_id: `p${i}` }));
          await note(analytics.identify("user-1", { plan: "gold" }));
          await note(analytics.group("team-1", { seats: 3 }));
          await note(analytics.track("Order Completed", { revenue: 25 }));
          await note(analytics.alias("user-2", "user-1"));
          return made;
        },
        [key, service],
      );
      await tab.waitForFunction(() => !Object.keys(localStorage).some((key) => key.startsWith("persisted-queue")));
      await tab.close();
      return { made, sent, strangers };
    }),
  );
});
