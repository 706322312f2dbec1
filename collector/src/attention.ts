import { on } from "./tools";
import type { Properties } from "./types";

/** How long and how far down the current page was looked at. */
export interface Attention {
  /** What is new since the last call, undefined where that is less than `least` ms; starts again for a new page. */
  take(least: number, newPage?: boolean): Properties | undefined;
}

export function watchAttention(): Attention {
  const now = () => performance.now(); // stands still while the machine sleeps
  const visible = () => document.visibilityState == "visible";
  let since = visible() ? now() : undefined;
  let seen = 0;
  let bottom = 0;
  const look = () => {
    if (since != null) seen += now() - since;
    since = visible() ? now() : undefined;
    bottom = Math.max(bottom, scrollY + innerHeight);
  };
  on(document, "visibilitychange", look);
  on(document, "scroll", look);
  return {
    take(least, newPage) {
      look();
      const height = document.documentElement.scrollHeight;
      const facts = {
        visible_seconds: Math.round(seen / 100) / 10,
        scroll_depth: Math.round(Math.min(1, bottom / height || 0) * 100) / 100,
        page_height: height,
      };
      const enough = seen >= least;
      if (enough) seen = 0;
      if (newPage) seen = bottom = 0;
      return enough ? facts : undefined;
    },
  };
}
