import { quiet } from "./tools";

/**
 * Named texts on the device, shared with the other tabs; in memory where nothing may be stored, where the browser
 * refuses, or where it is full. One text is one key of localStorage, so that tabs never overwrite each other's.
 */
export interface Shelf {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  remove(name: string): void;
  /** The names that begin so, sorted. */
  names(start: string): string[];
  /** From now on texts are kept on the device, those in memory too where it has none; or, told not to, in memory. */
  keep(keeping?: boolean): void;
  /** Whether texts are kept on the device. */
  kept(): boolean;
}

const PREFIX = "augury.";

export function makeShelf(): Shelf {
  const memory = new Map<string, string>();
  let keeping = false;
  // localStorage may be blocked (its very name throws) or full.
  const disk = <T>(use: (storage: Storage) => T): T | undefined => quiet(() => (keeping ? use(localStorage) : undefined));
  const set = (name: string, value: string) => {
    memory.delete(name);
    disk((storage) => (storage.setItem(PREFIX + name, value), true)) || memory.set(name, value);
  };
  const get = (name: string) => memory.get(name) ?? disk((storage) => storage.getItem(PREFIX + name)) ?? undefined;
  return {
    get,
    set,
    remove(name) {
      memory.delete(name);
      disk((storage) => storage.removeItem(PREFIX + name));
    },
    names: (start) =>
      [...memory.keys()]
        .concat((disk(Object.keys) ?? []).filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length)))
        .filter((name) => name.startsWith(start))
        .sort(),
    keep(keep = true) {
      keeping = keep;
      // A copy: what the disk refuses goes back to the end.
      [...memory].forEach(([name, value]) => {
        memory.delete(name);
        get(name) ?? set(name, value);
      });
    },
    kept: () => keeping,
  };
}
