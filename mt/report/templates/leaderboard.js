"use strict";
(() => {
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  function valueOf(row, column) {
    const value = row.cells[column].dataset.value;
    if (value === undefined) return null;
    const number = Number(value);
    return value.trim() === "" || Number.isNaN(number) ? value : number;
  }

  // Numbers before text; what has no value comes last in either direction.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return sign * (typeof a === "number" ? a - b : collator.compare(a, b));
  }

  function sortBy(column) {
    const head = heads[column];
    const before = head.getAttribute("aria-sort");
    const direction = before === null ? head.dataset.first : before === "ascending" ? "descending" : "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => [valueOf(row, column), row]);
    rows.sort((a, b) => compare(a[0], b[0], sign));
    body.append(...rows.map(([, row]) => row));
  }

  heads.forEach((head, column) => {
    const title = head.querySelector(".title");
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    button.addEventListener("click", () => sortBy(column));
    title.append(button);
  });

  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  function show() {
    const wanted = filter.value.trim().toLocaleLowerCase();
    let count = 0;
    for (const row of body.rows) {
      row.hidden = !row.textContent.toLocaleLowerCase().includes(wanted);
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = wanted ? `${count} of ${body.rows.length} rows` : "";
  }
  filter.addEventListener("input", show);
  document.getElementById("tools").hidden = false;
  show();
})();
