// Keys for whoever works without a pointer.

import { el } from "./dom.js";

const WAIT = 1200; // milliseconds between the two keys of one command

/** Listen to keys: `/` to search, `g` and a letter for a page, `?` for this list. */
export function keys(pages, search) {
  let isGoing = 0;
  const rows = [
    ["/", "search"],
    ...pages.map((each) => [`g ${each.key}`, each.title]),
    ["↑ ↓ PgUp PgDn Home End", "go through a table"],
    ["Enter", "open the row"],
    ["Esc", "close"],
    ["?", "these keys"],
  ];
  const dialog = el(
    "dialog.keys",
    { "aria-label": "Keys", click: (event) => event.target === dialog && dialog.close() },
    el("h2", null, "Keys"),
    el("dl", null, rows.map(([key, what]) => el("div", null, el("dt", null, el("kbd", null, key)), el("dd", null, what)))),
    el("form", { method: "dialog" }, el("button", { type: "submit" }, "Close")),
  );
  document.body.append(dialog);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, textarea, select")) return;
    const page = Date.now() - isGoing < WAIT ? pages.find((each) => each.key === event.key) : null;
    isGoing = 0;
    if (page) location.hash = `#/${page.segments[0]}`;
    else if (event.key === "g") isGoing = Date.now();
    else if (event.key === "/") search();
    else if (event.key === "?") dialog.showModal();
    else return;
    event.preventDefault();
  });
}
