"use strict";
(() => {
  const key = (cell) => (cell.dataset.key === undefined ? null : Number(cell.dataset.key));
  const compare = (one, other, sign) => {
    const [p, q] = [key(one), key(other)];
    if (p !== null && q !== null) return sign * (p - q);
    // What is missing comes last in both directions.
    if (p !== null || q !== null) return p === null ? 1 : -1;
    return sign * one.textContent.localeCompare(other.textContent, "en", { numeric: true });
  };
  const sort = (table, column, descending) => {
    const heads = Array.from(table.tHead.rows[0].cells);
    if (!heads[column]) return;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    rows.sort((a, b) => compare(a.cells[column], b.cells[column], descending ? -1 : 1));
    const sorted = document.createDocumentFragment();
    for (const row of rows) sorted.appendChild(row);
    body.appendChild(sorted);
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };
  const fromAddress = () => {
    // #sort=TABLE,COLUMN[,desc] with columns from 1 on.
    const asked = /^#sort=([a-z]+),(\d+)(,desc)?$/.exec(location.hash);
    const table = asked && document.querySelector(`table[data-table="${asked[1]}"]`);
    if (table) sort(table, Number(asked[2]) - 1, asked[3] !== undefined);
  };
  for (const table of document.querySelectorAll("table[data-table]")) {
    Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        // Numbers start with the largest.
        const isNumber = head.classList.contains("number");
        const now = head.getAttribute("aria-sort");
        const descending = now === null ? isNumber : now === "ascending";
        sort(table, column, descending);
        const address = `#sort=${table.dataset.table},${column + 1}${descending ? ",desc" : ""}`;
        history.replaceState(null, "", address);
      });
    });
  }
  window.addEventListener("hashchange", fromAddress);
  fromAddress();
})();
