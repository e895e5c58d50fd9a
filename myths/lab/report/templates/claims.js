// Sort and filter the table of all claims. Without this script the table shows all rows.
(() => {
  const table = document.getElementById("all-claims"), body = table.tBodies[0], rows = [...body.rows];
  const form = document.querySelector(".filters"), choices = [...form.querySelectorAll("select")];
  const words = form.querySelector("input"), said = form.querySelector("output");

  function filter() {
    const wanted = words.value.trim().toLowerCase();
    for (const row of rows)
      row.hidden = !choices.every(c => !c.value || row.dataset[c.dataset.column].split(", ").includes(c.value))
        || !row.textContent.toLowerCase().includes(wanted);
    said.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} claims`;
  }

  function sort(head, column) {
    const down = head.getAttribute("aria-sort") === "ascending", numeric = head.dataset.sort === "number";
    const key = row => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
    const order = (a, b) => numeric ? a - b : a.localeCompare(b);
    // Cells without a number come last in both directions.
    const sorted = [...rows].sort((a, b) => (key(a) === "") - (key(b) === "") || (down ? -1 : 1) * order(key(a), key(b)));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...sorted);
  }

  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(head, column));
    head.replaceChildren(button);
  });
  form.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());
  form.hidden = false;
  filter();
})();
