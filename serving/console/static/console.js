// What every page has: the switch between light and dark, forms that are sent once, and parts that are kept up to date.
const THEMES = ["system", "light", "dark"];

export const home = document.body.dataset.home;

/** Asks the service as a script: errors come as JSON, and become an Error with a line for people. */
export async function ask(path, options = {}) {
  const headers = { "X-Console": "fragment", "X-Change-Token": document.body.dataset.changeToken ?? "" };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...headers, ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service cannot be reached.");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) location.assign(`${home}/sign-in`);
  const problem = await answer.json().catch(() => ({}));
  const error = new Error(problem.detail ?? `The service answered with ${answer.status}.`);
  error.status = answer.status;
  throw error;
}

/** Asks again and again, first after `seconds`; slower while it fails, and not at all while the tab is hidden. */
export function repeat(seconds, look) {
  let pause = seconds * 1000;
  let timer;
  let stopped = false;
  const later = () => {
    clearTimeout(timer);
    if (!stopped && !document.hidden) timer = setTimeout(now, pause);
  };
  const now = async () => {
    try {
      if ((await look()) === false) stopped = true;
      pause = seconds * 1000;
    } catch {
      pause = Math.min(pause * 2, 60_000);
    }
    later();
  };
  const shown = () => (document.hidden ? clearTimeout(timer) : stopped || now());
  document.addEventListener("visibilitychange", shown);
  later();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", shown);
  };
}

function themes() {
  const button = document.getElementById("theme");
  const show = (theme) => {
    button.querySelector("span").textContent = theme;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  const stored = () => {
    try {
      return localStorage.getItem("augury.theme") ?? "system";
    } catch {
      return "system";
    }
  };
  show(stored());
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % THEMES.length];
    try {
      localStorage.setItem("augury.theme", next);
    } catch {
      // not kept, but shown
    }
    show(next);
  });
}

themes();
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
}
for (const part of document.querySelectorAll("[data-live]")) {
  repeat(Number(part.dataset.seconds), async () => {
    const answer = await ask(part.dataset.live);
    if (answer.status === 204) return true;
    part.innerHTML = await answer.text(); // made and escaped by the service
    return part.querySelector("[data-done]") === null;
  });
}
// A link from another site comes without the cookie, because that is for this site alone: asked from here, it is sent.
if (location.pathname === `${home}/sign-in`) {
  const answer = await ask(`${home}/session`).catch(() => null);
  if (answer !== null && (await answer.json()).signed_in) location.replace(home);
}
