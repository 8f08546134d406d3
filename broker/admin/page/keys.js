// Keys for whoever works without a pointer.

import { el, put } from "./dom.js";

const WAIT = 1200; // milliseconds between the two keys of one command
const LARGEST = { key: "z", title: "Queues, the largest first", to: "#/queues?sort=-bytes" };

function actionsHere() {
	return [...document.querySelectorAll("main .actions button")].filter((each) => each.checkVisibility()).slice(0, 9);
}

/** Listen to keys: `/`, `g` and a letter for a page, a digit for its buttons, `?` for the list of all. */
export function keys(pages, search) {
	let isGoing = 0;
	const ways = [...pages.map((each) => ({ key: each.key, title: each.title, to: `#/${each.segments[0]}` })), LARGEST];
	const list = el("dl");
	const dialog = el(
		"dialog.keys",
		{ "aria-labelledby": "keys-title", click: (event) => event.target === dialog && dialog.close() },
		el("h2", { id: "keys-title" }, "Keys"),
		list,
		el("form", { method: "dialog" }, el("button", { type: "submit" }, "Close")),
	);

	function show() {
		const rows = [
			["/", "search"],
			...actionsHere().map((each, index) => [`${index + 1}`, each.getAttribute("aria-label") ?? each.textContent.replace(" …", "")]),
			["f", "filters and fields of the page"],
			["m", "first row, or message, of the page"],
			["↑ ↓ PgUp PgDn Home End", "go through a table"],
			["Enter", "open the row"],
			["Esc", "close"],
			["?", "these keys"],
			...ways.map((each) => [`g ${each.key}`, each.title]),
		];
		put(list, rows.map(([key, what]) => el("div", el("dt", el("kbd", key)), el("dd", what))));
		dialog.showModal();
	}

	function first() {
		const message = document.querySelector("main .entries tbody button");
		if (message) message.click();
		(message ?? document.querySelector("main table[role=grid], main .rows[tabindex], main .checks"))?.focus();
	}

	document.body.append(dialog);
	document.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
		if (event.target.closest("input, textarea, select")) return;
		const way = Date.now() - isGoing < WAIT ? ways.find((each) => each.key === event.key) : null;
		isGoing = 0;
		if (way) location.hash = way.to;
		else if (event.key === "g") isGoing = Date.now();
		else if (event.key === "/") search();
		else if (event.key === "?") show();
		else if (event.key === "f") document.querySelector("main form :is(input, select)")?.focus();
		else if (event.key === "m") first();
		else if (/^[1-9]$/.test(event.key)) actionsHere()[event.key - 1]?.click();
		else return;
		event.preventDefault();
	});
}
