// A visitor of a shop that has our script tag: looks around, buys, loses the network, closes tabs, comes back.
import { answer, browsing, site } from "./browser.mjs";

const page = (service, key, model, body) => `<!doctype html><title>Shop</title>
<style>main { height: 3000px }</style>
<script>
  window.augury = window.augury || [];
  window.answers = {};
  augury.push(["track", "Product List Viewed", { list_id: "spring" }]);
  window.ask = (name) => augury.push((a) => a.predictionPoint(name).then((answer) => { answers[name] = answer; }));
</script>
<script async src="${service}/augury.js" data-write-key="${key}" data-model="${model}" data-flush-seconds="0.2"></script>
<main id="shop">${body}</main>
<script>
  const on = (id, work) => document.getElementById(id)?.addEventListener("click", work);
  on("red", () => history.pushState({}, "", "/shoes/red"));
  on("add", () => augury.push(["track", "Product Added", { product_id: "p1", price: 25 }]));
  on("buy", () => augury.push(["track", "Order Completed", { order_id: "o1", revenue: 25 }]));
</script>`;

const HOME = `<h1>Welcome</h1><a href="/shoes">Our  shoes</a>`;
const SHOES = `<button id="red">Red ones</button><button id="add"><b>Add to cart</b></button>
  <input id="card" value=""><button id="buy">Buy now</button><p id="mine" data-augury-ignore>Dear Ann</p>`;
const HELP = `<h1>Help</h1>`;

const waiting = () => Object.keys(localStorage).filter((key) => key.startsWith("augury.q.")).length;
const settled = (tab) => tab.waitForFunction(`(${waiting})() === 0`);

/** Looks at a page whose script has come for half a second. */
async function read(tab) {
  await tab.waitForFunction(() => window.augury.track);
  const since = await tab.evaluate(() => performance.now());
  await tab.waitForFunction((since) => performance.now() > since + 500, since);
}

/** Closes a tab as a visitor does, handlers included. */
async function leave(tab) {
  const closed = tab.waitForEvent("close");
  await tab.close({ runBeforeUnload: true });
  await closed;
}

await answer(({ service, key, model, chromium }) => {
  const pages = Object.fromEntries(
    Object.entries({ "/": HOME, "/shoes": SHOES, "/help": HELP }).map(([path, body]) => [
      path,
      page(service, key, model, body),
    ]),
  );
  return site(pages, (shop) =>
    browsing(chromium, async (context) => {
      const errors = [];
      context.on("weberror", (error) => errors.push(String(error.error())));
      context.on("console", (message) => message.text().startsWith("augury") && errors.push(message.text()));
      const ask = async (tab, name) => {
        await tab.evaluate((name) => window.ask(name), name);
        await tab.waitForFunction((name) => name in window.answers, name);
        return tab.evaluate((name) => window.answers[name], name);
      };

      const tab = await context.newPage();
      const script = tab.waitForResponse("**/augury.js");
      await tab.goto(shop + "/");
      const { responseBodySize: packed } = await (await script).request().sizes();
      const answers = [await ask(tab, "home")];
      const visitor = await tab.evaluate(() => window.augury.anonymousId());

      await read(tab);
      await tab.click("a"); // a page of its own
      await tab.waitForURL("**/shoes");
      await tab.mouse.wheel(0, 1000);
      await tab.waitForFunction(() => scrollY >= 1000);
      await tab.waitForFunction(() => window.augury.track);
      await tab.evaluate(() => scrollTo(0, 0));
      await read(tab);
      await tab.click("#red"); // single-page navigation
      await tab.click("#add");
      await tab.fill("#card", "4111-secret");
      await tab.click("#card");
      await tab.click("#mine"); // ignored
      answers.push(await ask(tab, "cart"));
      await settled(tab);

      // The network drops, the visitor buys, the network comes back.
      await context.setOffline(true);
      const failed = tab.waitForEvent("requestfailed");
      await tab.click("#buy");
      await failed;
      const kept = await tab.evaluate(waiting);
      await context.setOffline(false);
      await settled(tab);
      answers.push(await ask(tab, "thanks"));

      // Another tab of the same visit; closed with something to say.
      const help = await context.newPage();
      await help.goto(shop + "/help");
      await help.waitForFunction(() => window.augury.track);
      await settled(help);
      await help.evaluate(() => window.augury.track("Closed With Handlers"));
      await leave(help);

      // Closed while the network is away: what the browser took then is lost, what is stored is not.
      await context.setOffline(true);
      await tab.evaluate(() => window.augury.track("Closed Off-line"));
      await leave(tab);
      await context.setOffline(false);

      // Killed, without a chance to say anything.
      const killed = await context.newPage();
      await killed.goto(shop + "/help");
      await killed.waitForFunction(() => window.augury.track);
      await killed.evaluate(() => window.augury.track("Killed"));
      await killed.close();

      const back = await context.newPage();
      await back.goto(shop + "/help");
      await settled(back);
      await back.waitForFunction(() => window.augury.track);
      const same = (await back.evaluate(() => window.augury.anonymousId())) === visitor;
      await back.evaluate(() => window.augury.flush());
      await settled(back);
      await back.close();
      return { visitor, same, answers, kept, packed, errors };
    }),
  );
});
