// A page that is one list: filters, and the table. All of it is in the address, so it can be kept and sent.

import { at, el, PLAIN, put } from "./dom.js";
import { after } from "./live.js";
import { Table } from "./table.js";

const PAUSE = 250; // milliseconds without a key before what was typed is asked for

/**
 * A page with a list.
 *
 * `what` is as for a table, with `title` and `filters`: `{name, label, choices}`, or without choices a text. `actions`
 * stand beside the title.
 */
export function listPage(place, what) {
	let table = null;
	const holder = el("div.holder");
	const inputs = what.filters.map((each) => filter(each, place.query[each.name] ?? "", (value, isTyped) => change({ [each.name]: value }, isTyped)));

	function change(changes, isTyped = false) {
		const query = { ...place.query, ...changes };
		place.query = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ""));
		const address = at(place.segments, place.query);
		if (isTyped) history.replaceState(null, "", address);
		else history.pushState(null, "", address);
		const isSort = document.activeElement?.closest("th")?.cellIndex;
		show();
		if (isSort !== undefined) table.head.children[isSort]?.querySelector("button")?.focus();
	}

	function show() {
		table?.stop();
		const { sort = what.sort, ...parameters } = place.query; // a list that has one order only has no sort
		table = new Table({ ...what, parameters: { ...what.parameters, ...parameters }, sort, go: change });
		put(holder, table.node);
	}

	function entered(event) {
		if (event.key !== "Enter" || !event.target.matches("input")) return;
		event.preventDefault(); // the rows are next
		table.grid.focus();
	}

	show();
	const heading = el("div.heading", el("h1", what.title), el("form.filters", { role: "search", submit: (event) => event.preventDefault(), keydown: entered }, inputs), what.actions ? el("div.actions", what.actions) : null);
	return {
		title: what.title,
		node: el("div.list", heading, holder),
		stop: () => table.stop(),
	};
}

function filter({ name, label, choices, holder }, value, changed) {
	if (choices) {
		const select = el("select", { "aria-label": label, change: () => changed(select.value, false) });
		select.append(new Option(label, ""), ...choices.map((each) => (Array.isArray(each) ? new Option(each[1], each[0]) : new Option(each, each))));
		select.value = value;
		return select;
	}
	const typed = after(PAUSE, () => changed(input.value.trim(), true));
	const input = el("input", { type: "search", "aria-label": label, placeholder: holder ?? label, name, ...PLAIN, input: typed });
	input.value = value;
	return input;
}
