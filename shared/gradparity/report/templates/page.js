"use strict";

const wide = matchMedia("(min-width: 75rem)");
const nextTo = matchMedia("(min-width: 64rem)");

// The contents are open next to a wide page, and closed above a narrow one.
const contents = document.querySelector("#contents details");
const fold = () => { contents.open = nextTo.matches; };
nextTo.addEventListener("change", fold);
fold();

// The code: tabs, by the ARIA authoring practices, where the columns would be too narrow.
for (const code of document.querySelectorAll(".code")) {
  const list = code.querySelector(".tabs");
  const tabs = [...list.children];
  const columns = [...code.querySelectorAll(".column")];
  let chosen = 0;

  const show = () => {
    const tabbed = !wide.matches && tabs.length > 1;
    list.hidden = !tabbed;
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", at === chosen);
      tab.tabIndex = at === chosen ? 0 : -1;
    });
    columns.forEach((column, at) => {
      column.hidden = tabbed && at !== chosen;
      for (const [name, value] of [["role", "tabpanel"], ["aria-labelledby", tabs[at].id]]) {
        if (tabbed) column.setAttribute(name, value);
        else column.removeAttribute(name);
      }
    });
  };

  const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
  list.addEventListener("click", (event) => {
    if (!tabs.includes(event.target)) return;
    chosen = tabs.indexOf(event.target);
    show();
  });
  list.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const last = tabs.length - 1;
    if (Number.isFinite(step)) chosen = (chosen + step + tabs.length) % tabs.length;
    else chosen = step < 0 ? 0 : last;
    show();
    tabs[chosen].focus();
  });
  wide.addEventListener("change", show);
  show();
}

// One step: a line that is pointed at, or has the focus, lights the lines and the table's rows that share an array with it.
for (const trace of document.querySelectorAll(".trace")) {
  const rows = new Map([...trace.parentElement.querySelectorAll("tr[data-row]")].map((row) => [row.dataset.row, row]));
  const lines = [...trace.querySelectorAll("[data-rows]")];
  const said = trace.querySelector(".said");
  const numbers = (line) => line.dataset.rows.split(" ");
  let focused = null;

  const light = (line) => {
    const lit = new Set(line ? numbers(line) : []);
    for (const other of lines) other.classList.toggle("lit", numbers(other).some((number) => lit.has(number)));
    for (const [number, row] of rows) row.classList.toggle("lit", lit.has(number));
    said.replaceChildren(...[...lit].map((number) => {
      const words = document.createElement("p");
      const headings = rows.get(number).closest("table").tHead.rows[0].cells;
      const cells = [...rows.get(number).cells].map((cell, at) => [headings[at].textContent, cell.textContent.trim()]);
      words.textContent = cells.slice(2).filter(([, text]) => text).map((cell) => cell.join(" ")).join(" · ");
      return words;
    }));
  };
  for (const line of lines) {
    line.tabIndex = 0;
    line.addEventListener("focus", () => light(focused = line));
    line.addEventListener("blur", () => light(focused = null));
    line.addEventListener("mouseenter", () => light(line));
    line.addEventListener("mouseleave", () => light(focused));
  }
}

// Tables: a button in each heading sorts by its column, numbers as numbers; a second press reverses the order.
const compare = (a, b) => {
  const [x, y] = [a, b].map((text) => Number.parseFloat(text.replace(/[,\s]/g, "")));
  if (Number.isNaN(x) && Number.isNaN(y)) return a.localeCompare(b, "en");
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return x - y;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const [first, second] = table.tHead.rows;
  const headings = second ? [...first.cells].filter((cell) => cell.rowSpan === 2).concat(...second.cells) : [...first.cells];
  headings.forEach((heading, at) => {
    if (!heading.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", order);
      const turn = order === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => turn * compare(a.cells[at].textContent.trim(), b.cells[at].textContent.trim()));
      table.tBodies[0].append(...rows);
    });
  });
}

// Boxes that scroll sideways can be scrolled by keyboard, too.
const scrolling = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const box of document.querySelectorAll(".scroll, .formulas dd")) scrolling.observe(box);

// The contents mark the section that the reader is in.
const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(target.id).setAttribute("aria-current", "true");
  }
}, { rootMargin: "0px 0px -80% 0px" });
for (const id of links.keys()) {
  const section = document.getElementById(id);
  if (section) visible.observe(section);
}
