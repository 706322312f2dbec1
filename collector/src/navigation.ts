import { on, quiet, safe } from "./tools";

/** The part of the address that makes a page: a fragment only where it is a route, as in `#/cart`. */
const route = (): string => location.pathname + location.search + (/^#!?\//.test(location.hash) ? location.hash : "");

/** Calls back whenever another page is shown without one being loaded, or one comes back from the browser's cache. */
export function watchNavigation(moved: () => void): void {
  let last = route();
  const look = (replaced?: unknown) => {
    const before = last;
    last = route();
    // Filters and search boxes rewrite the query as one types: that is no new page.
    if (replaced === true ? before.split("?")[0] != last.split("?")[0] : before != last) moved();
  };
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    // A page may have sealed its history; it is then followed by its events only.
    quiet(
      () =>
        (history[name] = function (...args) {
          original.apply(this, args);
          safe(look)(name == "replaceState");
        }),
    );
  }
  on(window, "popstate hashchange", look);
  on(window, "pageshow", (event: PageTransitionEvent) => event.persisted && moved());
}
