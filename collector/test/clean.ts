import { afterEach, beforeEach, vi } from "vitest";

// Every test gets a page of its own: what a collector listens to and patches is undone, what it stored is removed.
const START = Date.parse("2026-03-01T12:00:00.000Z");
const added: [EventTarget, string, any, any][] = [];
const { pushState, replaceState } = history;

for (const target of [window, document] as EventTarget[]) {
  const original = target.addEventListener.bind(target);
  target.addEventListener = ((name: string, work: any, options: any) => {
    added.push([target, name, work, options]);
    original(name, work, options);
  }) as typeof target.addEventListener;
}

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  vi.spyOn(Math, "random").mockReturnValue(0.5);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  for (const [target, name, work, options] of added.splice(0)) target.removeEventListener(name, work, options);
  Object.assign(history, { pushState, replaceState });
  history.replaceState(null, "", "/shoes?size=42#top");
  localStorage.clear();
  for (const cookie of document.cookie.split("; ")) document.cookie = `${cookie.split("=")[0]}=;path=/;max-age=-1`;
  document.body.innerHTML = "";
  document.title = "";
  delete (window as any).augury;
});
