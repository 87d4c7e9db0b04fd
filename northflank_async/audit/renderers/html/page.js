"use strict";
const form = document.getElementById("filters");
const rows = [...document.querySelectorAll("#findings-table tbody tr")];
const texts = rows.map((row) => row.textContent.toLowerCase());
const count = document.getElementById("filter-count");
const none = document.getElementById("no-match");

function filter() {
  const { project, severity, status, text } = Object.fromEntries(new FormData(form));
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  rows.forEach((row, index) => {
    const isShown =
      (!project || row.dataset.project === project) &&
      (!severity || row.dataset.severity === severity) &&
      (!status || row.dataset.status === status) &&
      words.every((word) => texts[index].includes(word));
    row.hidden = !isShown;
    shown += isShown;
  });
  count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} findings shown`;
  none.hidden = shown > 0;
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
});
