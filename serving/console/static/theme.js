// Before the page is drawn, so that it does not flash: the theme that was chosen, if one was.
const chosen = (() => {
  try {
    return localStorage.getItem("augury.theme");
  } catch {
    return null;
  }
})();
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
