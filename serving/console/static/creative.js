// A photo and a campaign: asks for the five answers.
import { ask, home } from "./console.js";
import { isImage, refusal, show, takeImages } from "./images.js";

const $ = (id) => document.getElementById(id);
let photo = null;

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = text === "";
}

async function take(file) {
  const why = refusal(file, Number($("creative").dataset.mostBytes));
  if (why || !(await isImage(file))) {
    complain(why || "This file is no image that a browser can show.");
    return;
  }
  await show($("photo"), file);
  photo = file;
  $("answers").replaceChildren(); // they were of another photo
  complain("");
  $("photo").hidden = false;
  $("empty").hidden = true;
  $("file-label").textContent = "Another photo";
  $("ask").disabled = false;
}

takeImages($("file"), $("drop"), take);
$("question").addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(event.target)) if (value.trim()) query.set(name, value.trim());
  $("ask").disabled = true;
  $("working").hidden = false;
  complain("");
  try {
    const body = { method: "POST", body: photo, headers: { "Content-Type": "application/octet-stream" } };
    const answer = await ask(`${home}/creative/answers?${query}`, body);
    $("answers").innerHTML = await answer.text(); // made and escaped by the service
  } catch (error) {
    $("answers").replaceChildren();
    complain(error.message);
  }
  $("ask").disabled = false;
  $("working").hidden = true;
});
$("question").querySelector("[name=model]")?.addEventListener("change", (event) => {
  location.assign(`${home}/creative?${new URLSearchParams({ model: event.target.value })}`);
});
