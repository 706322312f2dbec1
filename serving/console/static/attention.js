// One design or two: asks for colours and numbers, and lets regions be drawn or typed.
import { ask, home } from "./console.js";
import { isImage, refusal, show, takeImages } from "./images.js";

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const WAIT_MS = 500;

const state = { file: null, second: null, regions: [], stale: false, timer: 0 };

function options(more = {}) {
  const found = new URLSearchParams({ fold: $("fold").value || "900", ...more });
  if ($("model")) found.set("model", $("model").value);
  for (const region of state.regions.filter(whole)) {
    found.append("region", `${region.name}:${region.x},${region.y},${region.width},${region.height}`);
  }
  return found;
}

/** Whether somebody is done typing it; whether it lies in the image the service says. */
const whole = (region) => region.name && region.width > 0 && region.height > 0;

/** Sends the design, or both, to one of the page's end-points. */
function send(what, query, signal) {
  if (state.second === null) {
    const body = { method: "POST", body: state.file, headers: { "Content-Type": "application/octet-stream" }, signal };
    return ask(`${home}/attention/${what}?${query}`, body);
  }
  const form = new FormData();
  form.set("before", state.file);
  form.set("after", state.second);
  return ask(`${home}/attention/compare/${what}?${query}`, { method: "POST", body: form, signal });
}

function colours(opacity, legend) {
  const given = { opacity: String(opacity), legend: String(legend) };
  return options(state.second === null ? { ...given, colours: $("colours").value } : given);
}

let running = null;

/** Asks anew; what an older question would have answered is thrown away. */
async function refresh(picture = true) {
  clearTimeout(state.timer);
  if (state.file === null) return;
  state.stale ||= picture;
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  $("problem").hidden = true;
  $("working").hidden = false;
  try {
    const numbers = send("numbers", options(), signal).then((answer) => answer.text());
    numbers.catch(() => {}); // told of below, or not at all where the colours failed first
    if (state.stale) {
      const blob = await (await send("overlay", colours(1, false), signal)).blob();
      await show($("overlay"), blob);
      $("overlay").hidden = false;
      state.stale = false;
    }
    $("numbers").innerHTML = await numbers; // made and escaped by the service
    $("working").hidden = true;
  } catch (error) {
    if (error.name === "AbortError") return;
    $("working").hidden = true;
    complain(error.message);
  }
}

function later() {
  clearTimeout(state.timer);
  state.timer = setTimeout(() => refresh(false), WAIT_MS);
}

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
}

/** Takes a file as the design, or as the newer one beside it. */
async function take(file, second = false) {
  const why = refusal(file, Number($("attention").dataset.mostBytes));
  if (why) {
    complain(why);
    return;
  }
  if (!(await isImage(file))) {
    complain("This file is no image that a browser can show.");
    return;
  }
  running?.abort();
  $("overlay").hidden = true;
  $("numbers").replaceChildren(); // they were of another image
  await show($("image"), file);
  if (second) state.second = file;
  else [state.file, state.second] = [file, null];
  arrange();
  await refresh();
}

function arrange() {
  const pair = state.second !== null;
  for (const id of ["stage", "controls", "regions-card", "hint"]) $(id).hidden = state.file === null;
  $("empty").hidden = state.file !== null;
  $("file-label").textContent = state.file === null ? "Choose an image" : "Another image";
  $("second-button").hidden = state.file === null || pair;
  $("forget-second").hidden = !pair;
  $("colours-field").hidden = pair;
  $("stage-title").textContent = pair ? "Newer design, with what it gained and lost" : "Design";
  $("marks").setAttribute("viewBox", `0 0 ${$("image").naturalWidth} ${$("image").naturalHeight}`);
  opaque();
  draw();
}

function opaque() {
  $("overlay").style.opacity = String($("opacity").value / 100);
  $("opacity-shown").textContent = `${$("opacity").value} %`;
}

// Regions

function draw(pending = null) {
  const marks = $("marks");
  const unit = $("image").naturalWidth / Math.max(1, $("image").clientWidth);
  marks.replaceChildren();
  for (const region of [...state.regions, ...(pending ? [pending] : [])]) {
    if (!(region.width > 0 && region.height > 0)) continue;
    const group = document.createElementNS(SVG, "g");
    const box = document.createElementNS(SVG, "rect");
    for (const name of ["x", "y", "width", "height"]) box.setAttribute(name, String(region[name]));
    box.setAttribute("stroke-width", String(2 * unit));
    const label = document.createElementNS(SVG, "text");
    label.setAttribute("x", String(region.x + 5 * unit));
    label.setAttribute("y", String(region.y + 16 * unit));
    label.setAttribute("font-size", String(13 * unit));
    label.setAttribute("stroke-width", String(3 * unit));
    label.textContent = region.name;
    group.append(box, label);
    marks.append(group);
  }
}

function rows() {
  $("no-regions").hidden = state.regions.length > 0;
  $("regions-scroll").hidden = state.regions.length === 0;
  $("regions").replaceChildren(...state.regions.map((region, place) => {
    const row = $("region-row").content.firstElementChild.cloneNode(true);
    for (const input of row.querySelectorAll("input")) {
      const field = input.dataset.field;
      input.value = String(region[field]);
      input.setAttribute("aria-label", `${field} of region ${place + 1}`);
      input.addEventListener("input", () => {
        region[field] = field === "name" ? input.value.trim() : Number(input.value);
        draw();
        later();
      });
    }
    const remove = row.querySelector("button");
    remove.setAttribute("aria-label", `remove region ${place + 1}`);
    remove.addEventListener("click", () => {
      state.regions.splice(place, 1);
      rows();
      draw();
      later();
      $("add").focus();
    });
    return row;
  }));
}

function add(region) {
  let number = state.regions.length + 1;
  while (state.regions.some((other) => other.name === `Region ${number}`)) number += 1;
  state.regions.push({ name: `Region ${number}`, ...region });
  rows();
  draw();
  later();
}

function drawing() {
  const stage = $("stage");
  let start = null;
  const place = (event) => {
    const box = $("image").getBoundingClientRect();
    const scale = $("image").naturalWidth / box.width;
    const within = (value, most) => Math.round(Math.min(Math.max(value * scale, 0), most));
    return {
      x: within(event.clientX - box.left, $("image").naturalWidth),
      y: within(event.clientY - box.top, $("image").naturalHeight),
    };
  };
  const spanned = (event) => {
    const end = place(event);
    const [x, y] = [Math.min(start.x, end.x), Math.min(start.y, end.y)];
    return { name: "", x, y, width: Math.abs(end.x - start.x), height: Math.abs(end.y - start.y) };
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    start = place(event);
  });
  stage.addEventListener("pointermove", (event) => start && draw(spanned(event)));
  stage.addEventListener("pointercancel", () => {
    start = null;
    draw();
  });
  stage.addEventListener("pointerup", (event) => {
    if (!start) return;
    const { name, ...region } = spanned(event);
    start = null;
    if (region.width >= 4 && region.height >= 4) add(region);
    else draw();
  });
}

// Downloads

async function download(button, kind, name) {
  button.disabled = true;
  try {
    const query = colours($("opacity").value / 100, true);
    const blob = await (await send(kind, query)).blob();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    complain(error.message);
  }
  button.disabled = false;
}

// Wiring

function wire() {
  takeImages($("file"), $("drop"), (file) => take(file));
  $("second").addEventListener("change", () => {
    const [file] = $("second").files;
    $("second").value = ""; // the same file may be chosen again
    if (file) take(file, true);
  });
  $("forget-second").addEventListener("click", () => take(state.file));
  $("opacity").addEventListener("input", opaque);
  $("colours").addEventListener("change", () => refresh());
  $("fold").addEventListener("input", () => later());
  $("model")?.addEventListener("change", () => refresh());
  $("add").addEventListener("click", () => {
    const [width, height] = [$("image").naturalWidth, $("image").naturalHeight].map((most) => Math.round(most / 4));
    add({ x: 0, y: 0, width, height });
    const name = $("regions").lastElementChild.querySelector("input");
    name.focus();
    name.select(); // what is typed takes its place
  });
  $("png").addEventListener("click", () => download($("png"), "overlay", "attention.png"));
  $("pdf").addEventListener("click", () => download($("pdf"), "report", "attention.pdf"));
  addEventListener("resize", () => draw());
  drawing();
}

wire();
