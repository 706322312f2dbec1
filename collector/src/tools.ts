/** Runs page code's callbacks: whatever goes wrong in here stays in here. */
export const safe =
  <A extends unknown[], R>(work: (...args: A) => R, instead?: R) =>
  (...args: A): R => {
    try {
      return work(...args);
    } catch (error) {
      console.warn("augury:", error);
      return instead as R;
    }
  };

/** What a browser may refuse, such as storage on a blocked or sandboxed page: undefined where it does. */
export const quiet = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

/** A random UUID, version 4. `crypto.randomUUID` is missing on pages without TLS. */
export const uuid = (): string =>
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
    (+digit ^ (crypto.getRandomValues(new Uint8Array(1))[0]! & (15 >> (+digit / 4)))).toString(16),
  );

/** JSON that every parser takes: halves of surrogate pairs, as cutting a text leaves them, are refused by many. */
export const json = (value: unknown): string =>
  JSON.stringify(value, (_, item) => (typeof item === "string" ? item.replace(/\p{Cs}/gu, "\ufffd") : item));

/** The size of a text in UTF-8. */
export const bytes = (text: string): number => new Blob([text]).size;

/** A text within its limit; undefined, which JSON leaves out, where there is none. */
export const clip = (text: unknown, limit: number): string | undefined =>
  typeof text === "string" && text ? text.slice(0, limit) : undefined;

export const on = (target: EventTarget, names: string, work: (event: any) => void): void =>
  names.split(" ").forEach((name) => target.addEventListener(name, safe(work), { capture: true, passive: true }));
