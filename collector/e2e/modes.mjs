// The guide's own page; a page that must not store anything; a page that must ask first.
import { answer, browsing, site } from "./browser.mjs";

const HTML = "<!doctype html><title>Shop</title>";

await answer(({ service, key, chromium, guide }) => {
  const tag = (attributes) => `${HTML}<script async src="${service}/augury.js" data-write-key="${key}" ${attributes}></script>`;
  const pages = {
    "/guide": guide,
    "/stateless": tag('data-storage="none"'),
    "/asking": tag("data-require-consent"),
  };
  return site(pages, (shop) =>
    browsing(chromium, async (context) => {
      const open = async (path) => {
        const tab = await context.newPage();
        await tab.goto(shop + path);
        await tab.waitForFunction(() => window.augury.track);
        return tab;
      };
      const traces = async (tab) => [await tab.evaluate(() => Object.keys(localStorage).sort()), await context.cookies(shop)];
      const taken = (tab) => tab.waitForResponse((found) => found.url() === `${service}/v1/batch` && found.ok());
      const visitors = {};
      const visitor = (tab) => tab.evaluate(() => window.augury.anonymousId());

      const asking = await open("/asking");
      await asking.evaluate(() => window.augury.track("Before Consent"));
      visitors.asking = await visitor(asking);
      const before = await traces(asking);
      const sent = taken(asking);
      await asking.evaluate(() => window.augury.consent({ analytics: true, ads: false }));
      await sent;
      // The answer is here before the page has crossed off what was sent.
      await asking.waitForFunction(() => !Object.keys(localStorage).some((name) => name.startsWith("augury.q.")));
      const [names, cookies] = await traces(asking);
      await asking.evaluate(() => window.augury.optOut());
      const after = await traces(asking);
      await asking.evaluate(() => localStorage.clear());
      await asking.close();

      const stateless = await open("/stateless");
      visitors.stateless = await visitor(stateless);
      await stateless.evaluate(() => window.augury.track("Nothing Stored"));
      const stored = await traces(stateless);
      const closed = stateless.waitForEvent("close");
      await stateless.close({ runBeforeUnload: true });
      await closed;

      await context.route("**/v1/predict/**", (route) =>
        route.fulfill({ json: { probability: 0.1 }, headers: { "Access-Control-Allow-Origin": "*" } }),
      );
      const guide = await open("/guide");
      visitors.guide = await visitor(guide);
      await guide.click("p >> nth=0"); // data-augury-ignore
      await guide.click("#add");
      await guide.waitForSelector("#offer", { state: "visible" });
      await guide.click("#refuse");
      const refused = await traces(guide);
      return { visitors, before, names, cookies: cookies.map(({ name, value }) => [name, value]), after, stored, refused };
    }),
  );
});
