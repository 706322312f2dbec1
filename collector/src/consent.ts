import { quiet } from "./tools";
import type { Choice, Options } from "./types";

const KEY = "augury.consent";

/** What the visitor agreed to. The choice itself is stored in every mode: without it, a no would be forgotten. */
export interface Consent {
  /** True: collect. False: do not. Undefined: nobody has asked yet, so keep events in memory. */
  granted(): boolean | undefined;
  choice(): Choice | undefined;
  choose(choice: Choice): void;
}

export function makeConsent(options: Options): Consent {
  let chosen: Choice | undefined;
  // Read every time: another tab may have asked.
  const choice = (): Choice | undefined => {
    quiet(() => (chosen = JSON.parse(localStorage.getItem(KEY)!) ?? chosen));
    return chosen;
  };
  const { navigator } = window as any;
  return {
    choice,
    granted() {
      const found = choice();
      if (found !== undefined) return found === true || Object.values(found).some(Boolean);
      if (options.honourDnt !== false && (navigator.globalPrivacyControl || navigator.doNotTrack == 1)) return false;
      return options.requireConsent ? undefined : true;
    },
    choose(choice) {
      chosen = choice;
      quiet(() => localStorage.setItem(KEY, JSON.stringify(choice)));
    },
  };
}
