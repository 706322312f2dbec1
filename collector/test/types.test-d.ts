// Checked by `npm run lint`, never run: what a caller may write, and what the compiler must refuse.
import { expectTypeOf } from "vitest";
import { createCollector, type Collector, type Message, type Options, type Prediction } from "../src/index";

const augury = createCollector({ writeKey: "key", host: "https://collect.example" });
expectTypeOf(augury).toEqualTypeOf<Collector>();
expectTypeOf(augury.predictionPoint("cart", { items: 2 })).resolves.toEqualTypeOf<Prediction | null>();
expectTypeOf(augury.anonymousId()).toBeString();
expectTypeOf<Prediction["segment"]>().toEqualTypeOf<"very low" | "low" | "medium" | "high" | "very high">();
expectTypeOf<Options["beforeSend"]>().toEqualTypeOf<((message: Message) => Message | null) | undefined>();
expectTypeOf(augury.track).parameters.toEqualTypeOf<[event: string, properties?: Record<string, unknown>]>();

augury.push(["track", "Product Viewed", { product_id: "p1" }], (collector) => collector.consent({ analytics: true }));
augury.consent(true);
// @ts-expect-error: there is no collector without a write key
createCollector({ host: "https://collect.example" });
// @ts-expect-error: no such mode
createCollector({ writeKey: "key", host: "https://collect.example", storage: "session" });
// @ts-expect-error: an unknown option is refused
createCollector({ writeKey: "key", host: "https://collect.example", sampling: 0.5 });
// @ts-expect-error: an event has a name
augury.track();
// @ts-expect-error: properties are an object
augury.track("Viewed", "p1");
// @ts-expect-error: a user id is text
augury.identify(7);
// @ts-expect-error: a choice is a yes or no, also by category
augury.consent({ analytics: "yes" });
// @ts-expect-error: there may be no prediction
augury.predictionPoint("cart").then((answer) => answer.probability);
// @ts-expect-error: calls are arrays or functions
augury.push("track");
