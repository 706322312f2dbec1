import type { Shelf } from "./shelf";
import { quiet, uuid } from "./tools";
import type { Options } from "./types";

const COOKIE = "augury_id";
const YEAR_SECONDS = 34e6; // browsers keep no cookie longer than 400 days

/** Who the visitor is. Nothing is remembered here: another tab may have changed it. */
export interface Identity {
  anonymousId(): string;
  userId(): string | undefined;
  setUser(id: string): void;
  /** The running session's id; a new one after a gap. */
  session(now: number): string;
  /** Keeps the anonymous id for another year on the shelf and in the cookie; returns it. */
  refresh(): string;
  forget(): void;
}

export function makeIdentity(options: Options, shelf: Shelf): Identity {
  const gap = (options.sessionMinutes || 30) * 6e4;
  // Without consent the cookie is not even looked at.
  const cookies = () => shelf.kept() && (options.storage || "cookie") == "cookie";
  const write = (id: string, seconds: number) => {
    const rest =
      (options.cookieDomain ? ";domain=" + options.cookieDomain : "") +
      (location.protocol == "https:" ? ";secure" : "");
    quiet(() => cookies() && (document.cookie = `${COOKIE}=${id};path=/;max-age=${seconds};samesite=lax${rest}`));
  };
  const keep = (id: string) => {
    shelf.set("id", id);
    write(id, YEAR_SECONDS);
    return id;
  };
  const anonymousId = () =>
    quiet(() => cookies() && RegExp(`(?:^|; )${COOKIE}=([\\w-]+)`).exec(document.cookie)?.[1]) ||
    shelf.get("id") ||
    keep(uuid());
  return {
    anonymousId,
    userId: () => shelf.get("user"),
    setUser: (id) => shelf.set("user", id),
    session(now) {
      let [id, last] = (shelf.get("session") || "").split(" ");
      if (!id || Math.abs(now - +last!) > gap) id = uuid();
      shelf.set("session", id + " " + now);
      return id;
    },
    refresh: () => keep(anonymousId()),
    forget() {
      ["id", "user", "session"].forEach(shelf.remove);
      write("", -1);
    },
  };
}
