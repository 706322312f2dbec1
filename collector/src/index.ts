export { createCollector } from "./collector";
export type { Call, Choice, Collector, Message, Options, Prediction, Properties } from "./types";
