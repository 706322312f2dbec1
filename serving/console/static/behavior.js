// Keeps the visitor on the page up to date, and asks for an explanation when somebody wants one.
import { ask, home, repeat } from "./console.js";

const part = document.getElementById("visitor");

function query(more = {}) {
  return new URLSearchParams({ visitor: part.dataset.visitor, model: part.dataset.model, ...more });
}

function follow() {
  let live = true;
  let stop = () => {};
  const begin = () => repeat(3, async () => {
    const seen = part.querySelector("[data-seen]").dataset.seen;
    const answer = await ask(`${home}/behavior/visitor?${query({ seen })}`);
    if (answer.status === 204) return;
    part.innerHTML = await answer.text(); // made and escaped by the service
    button();
  });
  const button = () => {
    const found = part.querySelector("#live");
    found.hidden = false;
    found.setAttribute("aria-pressed", String(live));
    found.textContent = live ? "Live: on" : "Live: off";
    found.addEventListener("click", () => {
      live = !live;
      stop();
      if (live) stop = begin();
      found.setAttribute("aria-pressed", String(live));
      found.textContent = live ? "Live: on" : "Live: off";
    });
  };
  button();
  stop = begin();
}

function explain() {
  const button = document.getElementById("explain-button");
  const place = document.getElementById("attribution");
  button.addEventListener("click", async () => {
    button.disabled = true;
    place.textContent = "Asking the model again, without one event after the other …";
    try {
      place.innerHTML = await (await ask(`${home}/behavior/explain?${query()}`)).text(); // escaped by the service
    } catch (error) {
      place.textContent = error.message;
    }
    button.disabled = false;
  });
}

if (part) {
  follow();
  explain();
}
