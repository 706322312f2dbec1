import { createCollector } from "./collector";
import { safe } from "./tools";
import type { Call, Collector, Options } from "./types";

declare global {
  interface Window {
    augury?: Collector | Call[];
  }
}

safe(() => {
  const script = document.currentScript as HTMLScriptElement | null;
  if (!script) return;
  const options: Record<string, unknown> = { host: new URL(".", script.src || location.href).href.slice(0, -1) };
  for (const name in script.dataset) {
    const value = script.dataset[name];
    options[name] = value == "false" ? false : !value || value == "true" ? true : value;
  }
  const begin = safe(() => {
    const waiting = window.augury || [];
    if (!Array.isArray(waiting)) return; // a second tag of the same script
    if (!options.writeKey) throw Error("the script tag has no data-write-key");
    window.augury = createCollector(options as unknown as Options, waiting);
  });
  // A page rendered ahead of time has no visitor yet: its calls wait, too.
  if ((document as any).prerendering) document.addEventListener("prerenderingchange", begin, { once: true });
  else begin();
})();
