/** Whatever JSON can hold; what it cannot (functions, cycles) is left out or costs the one event. */
export type Properties = Record<string, unknown>;

/** A yes or no to everything, or to each category of `context.consent.categoryPreferences`. */
export type Choice = boolean | Record<string, boolean>;

/** How a collector is set up; a script tag gives the same as `data-` attributes (`data-write-key`). */
export interface Options {
  /** The project's write key. */
  writeKey: string;
  /** Where the service answers, such as `https://collect.example`; of a script tag by default where it came from. */
  host: string;
  /** The model that `predictionPoint` asks; without one it only records the point. */
  model?: string;
  /**
   * What is kept on the device. `cookie` (default): the anonymous id in a first-party cookie and everything else in
   * localStorage; `local`: no cookie; `none`: nothing, a visitor is known for as long as the page is open.
   */
  storage?: "cookie" | "local" | "none";
  /** The domain of the cookie, `shop.example` to share it between subdomains; by default the page's host alone. */
  cookieDomain?: string;
  /** Wait for `consent()`: until then events stay in memory, and nothing is stored or sent. */
  requireConsent?: boolean;
  /** Collect nothing from browsers that send Do Not Track or Global Privacy Control, unless `consent()` said yes. */
  honourDnt?: boolean;
  /** Record page views, those of single-page navigation too. */
  pages?: boolean;
  /** Record clicks. */
  clicks?: boolean;
  /** Record how far and how long each page was looked at. */
  engagement?: boolean;
  /** Seconds that an event waits for others to share its request. */
  flushSeconds?: number;
  /** Minutes without an event after which a new session begins. */
  sessionMinutes?: number;
  /** Sees every message before it is stored; returns it, changed or not, or null to drop it. */
  beforeSend?: (message: Message) => Message | null;
}

/** A message as Segment's specification describes it. */
export interface Message {
  type: "page" | "track" | "identify";
  messageId: string;
  anonymousId: string;
  userId?: string;
  timestamp: string;
  event?: string;
  name?: string;
  properties?: Properties;
  traits?: Properties;
  context: Properties;
}

/** The service's answer for a visitor. */
export interface Prediction {
  prediction_id: string;
  model: string;
  version: string;
  visitor: string | null;
  probability: number;
  probabilities: number[];
  segment: "very low" | "low" | "medium" | "high" | "very high";
  events_used: number;
  known: boolean;
  truncated: boolean;
}

/** A call that waits in `window.augury` until the script is there: a method's name and arguments, or a function. */
export type Call = [name: string, ...args: unknown[]] | ((collector: Collector) => void);

/** Nothing here ever throws; what goes wrong is said once on the console. */
export interface Collector {
  /** Records a page view; automatic unless `pages` is off. */
  page(name?: string, properties?: Properties): void;
  /** Records that something happened, such as `track("Order Completed", { revenue: 25 })`. */
  track(event: string, properties?: Properties): void;
  /** Says who the visitor is; all later events carry the user id. */
  identify(userId: string, traits?: Properties): void;
  /** Forgets user, anonymous id and session, as after logging out. */
  reset(): void;
  /** Records the event `Prediction Point` and resolves to the prediction; to null where there is none. */
  predictionPoint(name: string, properties?: Properties): Promise<Prediction | null>;
  /** Keeps the visitor's choice; a no to everything also removes all that was stored and not sent. */
  consent(choice: Choice): void;
  /** `consent(false)`. */
  optOut(): void;
  /** The id of this browser, for requests of your own server. */
  anonymousId(): string;
  /** Sends what is waiting; resolves when it was taken or has to wait. */
  flush(): Promise<void>;
  /** Makes a call now, as the stub array does later. */
  push(...calls: Call[]): void;
}
