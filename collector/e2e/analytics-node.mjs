// Segment's library for servers, as npm has it: only its host is ours.
import { Analytics } from "@segment/analytics-node";
import { answer } from "./browser.mjs";

await answer(async ({ service, key, httpRequestTimeout = 10_000 }) => {
  const analytics = new Analytics({ writeKey: key, host: service, flushAt: 15, httpRequestTimeout });
  const made = [];
  const errors = [];
  analytics.on("error", (error) => errors.push(String(error.reason ?? error)));
  const note = (error, context) => {
    const { type, messageId, anonymousId = null, userId = null } = context.event;
    if (error) errors.push(String(error));
    else made.push([type, messageId, anonymousId, userId]);
  };
  analytics.page({ anonymousId: "anon-1", name: "Home", properties: { url: "https://shop.example/" } }, note);
  analytics.screen({ anonymousId: "anon-1", name: "Cart" }, note);
  for (let i = 0; i < 40; i++) {
    analytics.track({ anonymousId: "anon-1", event: "Product Viewed", properties: { product_id: `p${i}` } }, note);
  }
  analytics.identify({ anonymousId: "anon-1", userId: "user-1", traits: { plan: "gold" } }, note);
  analytics.group({ userId: "user-1", groupId: "team-1" }, note);
  analytics.track({ userId: "user-1", event: "Order Completed", properties: { revenue: 25 }, timestamp: new Date() }, note);
  analytics.alias({ userId: "user-2", previousId: "user-1" }, note);
  await analytics.closeAndFlush({ timeout: 20_000 });
  return { made, errors };
});
