// Taking an image: chosen, dropped or pasted.

/** Hands every image that somebody gives to `take`; `drop` is the place that files may be dropped on. */
export function takeImages(input, drop, take) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (file) take(file);
  });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
    if (file) take(file);
  });
}

/** Says why a file is not even sent; empty if it is. */
export function refusal(file, mostBytes) {
  if (file.size <= mostBytes) return "";
  const [has, most] = [file.size, mostBytes].map((bytes) => (bytes / 1048576).toFixed(1));
  return `The file has ${has} MB; the service takes ${most} MB.`;
}

/** Says whether a file is an image that this browser can show. */
export async function isImage(file) {
  const probe = new Image();
  const found = await show(probe, file);
  URL.revokeObjectURL(probe.src);
  return found;
}

/** Shows a file in an `img`; says whether it is an image. */
export async function show(image, file) {
  const before = image.src;
  image.src = URL.createObjectURL(file);
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
  try {
    await image.decode();
    return true;
  } catch {
    return false;
  }
}
