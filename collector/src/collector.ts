import { watchAttention } from "./attention";
import { clickFacts } from "./clicks";
import { makeConsent } from "./consent";
import { makeIdentity } from "./identity";
import { watchNavigation } from "./navigation";
import { makeSender } from "./sender";
import { makeShelf } from "./shelf";
import { clip, json, on, quiet, safe, uuid } from "./tools";
import type { Call, Choice, Collector, Message, Options, Prediction, Properties } from "./types";

declare const VERSION: string;

const LIBRARY = { name: "augury.js", version: VERSION };
const PREDICTION_TIMEOUT_MS = 5e3;
const BLINK_MS = 100; // a page shown for less was not seen
const GLANCE_MS = 1e3; // leaving a tab after less than this is not worth an event

/** Makes a collector and begins to collect, after the calls that have waited for it. */
export function createCollector(options: Options, waiting: Call[] = []): Collector {
  options = { ...options, host: options.host.replace(/\/$/, "") };
  const shelf = makeShelf();
  const consent = makeConsent(options);
  const identity = makeIdentity(options, shelf);
  const sender = makeSender(options, shelf, () => collects() && consent.granted());
  let referrer = document.referrer;
  let shown: Properties; // the page last viewed
  let count = 46656; // four digits to base 36

  const facts = (): Properties => ({
    url: clip(location.href, 2000),
    path: clip(location.pathname, 1000),
    search: clip(location.search, 1000),
    title: clip(document.title, 300),
    referrer: clip(referrer, 2000),
  });

  /** Whether to record; what waited in memory for a yes is stored as soon as there is one. */
  const collects = (): boolean => {
    const granted = consent.granted();
    if (granted && options.storage != "none" && !shelf.kept()) {
      const held = shelf.get("id"); // what the events in memory were made with; the device may know another
      shelf.keep();
      const id = identity.refresh();
      if (held && held != id) sender.rename(held, id);
    }
    return granted !== false;
  };

  // Safe by itself: what is wrong with one event must not cost what comes after it.
  const record = safe((type: Message["type"], given: Partial<Message>, page = facts()): string | undefined => {
    if (!collects()) return;
    const now = Date.now();
    const choice = consent.choice();
    let message: Message | null = {
      type,
      // Sorts by time, and in the order of the calls within a millisecond.
      messageId: `${now.toString(36)}${(count++).toString(36)}-${uuid()}`,
      anonymousId: identity.anonymousId(),
      userId: identity.userId(),
      timestamp: new Date(now).toISOString(),
      ...given,
      context: {
        page,
        userAgent: navigator.userAgent,
        locale: navigator.language,
        timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        screen: { width: screen.width, height: screen.height, density: devicePixelRatio },
        library: LIBRARY,
        sessionId: identity.session(now),
        consent: choice && choice !== true ? { categoryPreferences: choice } : undefined,
      },
    };
    if (options.beforeSend) message = options.beforeSend(message);
    if (message) sender.add(message.messageId, json(message));
    return message?.messageId;
  });

  const track = (event: string, properties?: Properties, page?: Properties) =>
    record("track", { event: String(event), properties }, page);

  const page = (name?: string, properties?: Properties) => {
    shown = facts();
    record("page", { name, properties: { ...shown, name, ...properties } }, shown);
  };

  const choose = (choice: Choice) => {
    consent.choose(choice);
    if (consent.granted()) {
      collects();
      void sender.flush();
    } else {
      shelf.keep(); // so that what earlier visits left goes too
      sender.clear();
      identity.forget();
      shelf.keep(options.storage != "none");
    }
  };

  const predictionPoint = async (name: string, properties?: Properties): Promise<Prediction | null> => {
    try {
      const id = track("Prediction Point", { name, ...properties });
      if (!id || !options.model) return null;
      await sender.flush();
      if (sender.waits(id)) return null;
      const path = [options.model, identity.anonymousId()].map(encodeURIComponent).join("/");
      const response = await fetch(
        `${options.host}/v1/predict/${path}?writeKey=${encodeURIComponent(options.writeKey)}`,
        { credentials: "omit", signal: AbortSignal.timeout?.(PREDICTION_TIMEOUT_MS) },
      );
      return response.ok ? await response.json() : null;
    } catch {
      return null;
    }
  };

  let leaving: (least: number, newPage?: boolean) => void = () => {};

  const start = () => {
    collects();
    if (options.engagement !== false) {
      const attention = watchAttention();
      leaving = (least, newPage) => {
        const found = attention.take(least, newPage);
        if (found && shown) track("Page Left", found, shown);
      };
    }
    if (options.pages !== false) {
      page();
      watchNavigation(() => {
        leaving(BLINK_MS, true);
        if (shown.url != location.href) referrer = String(shown.url);
        page();
      });
    }
    if (options.clicks !== false) {
      on(document, "click", (event: MouseEvent) => {
        const found = clickFacts(event);
        if (found) track("Element Clicked", found);
      });
    }
    on(document, "visibilitychange", () => {
      if (document.visibilityState == "hidden") {
        leaving(GLANCE_MS);
        void sender.flush();
      }
    });
    on(window, "pagehide", () => {
      leaving(BLINK_MS);
      sender.leave();
    });
    on(window, "online", sender.retry);
  };
  const collector: Collector = {
    page: safe(page),
    track: safe((event, properties) => void track(event, properties)),
    identify: safe((userId, traits) => {
      // Shops like to number their users. Anything else would make one visitor of all who have no id.
      if (!(typeof userId == "string" ? userId : Number.isFinite(userId))) throw Error("identify without a user id");
      if (collects()) identity.setUser(String(userId));
      record("identify", { traits });
    }),
    reset: safe(identity.forget),
    predictionPoint,
    consent: safe(choose),
    optOut: safe(() => choose(false)),
    anonymousId: safe(() => (collects() ? identity.anonymousId() : ""), ""),
    flush: sender.flush,
    push: (...calls) =>
      calls.forEach(
        safe((call) => {
          if (typeof call == "function") call(collector);
          else (collector as any)[call[0]](...call.slice(1));
        }),
      ),
  };
  // For whoever holds the array, or calls from a call that waited; a sealed one stays as it is.
  quiet(() => (waiting.push = collector.push as any));
  const asks = (call: Call) => /^(consent|optOut)$/.test((call as any)[0]);
  collector.push(...waiting.filter(asks));
  const begin = safe(start);
  // A page rendered ahead of time has no visitor yet.
  if ((document as any).prerendering) document.addEventListener("prerenderingchange", begin, { once: true });
  else begin();
  collector.push(...waiting.filter((call) => !asks(call)));
  return collector;
}
