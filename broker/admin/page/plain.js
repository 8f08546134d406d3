// A table of what is short, and comes in one piece.

import { may, Refused } from "./api.js";
import { el, renew, say, visible } from "./dom.js";
import { every } from "./live.js";

/**
 * A table whose rows are shown anew and keep their nodes, and with them the focus of who works by keys.
 *
 * `label` names it; `columns` are `{title, cell, isNumber}`; `empty` is what to say where there is nothing. `press(what,
 * id)` is called for the buttons that :func:`rowButton` makes.
 */
export class PlainTable {
	constructor({ label, columns, empty, press }) {
		this.columns = columns;
		this.body = el("tbody");
		this.none = el("div.empty", { hidden: true }, empty);
		this.table = el(
			"table",
			el("thead", el("tr", columns.map(({ title, isNumber }) => el(`th${isNumber ? ".number" : ""}`, { scope: "col" }, title || el("span.unseen", "Actions"))))),
			this.body,
		);
		this.node = el("div.checks", { tabindex: "0", role: "region", "aria-label": label, click: (event) => this.pressed(event, press) }, this.table, this.none);
	}

	/** Show these rows. */
	show(rows) {
		this.none.hidden = rows.length > 0;
		this.table.hidden = rows.length === 0;
		renew(this.body, rows.map((row) => el("tr", this.columns.map(({ cell, isNumber }) => el(`td${isNumber ? ".number" : ""}`, cell(row))))));
	}

	pressed(event, press) {
		const button = event.target.closest("button[data-what]");
		if (button) press(button.dataset.what, button.dataset.id);
	}
}

/** A button in a row; whoever may not use it sees it, and why not. */
export function rowButton(label, what, id, { role = "monitoring", isDanger = false, name = "" } = {}) {
	const allowed = may(role);
	return el(
		`button.small${isDanger ? ".danger" : ""}`,
		{ type: "button", "data-what": what, "data-id": id, disabled: !allowed, title: allowed ? null : `This is for the role ${role}.`, "aria-label": name ? `${label} ${name}` : null },
		label,
	);
}

/**
 * A page of such a table: `read()` gives its rows every so many `seconds`, `words(rows)` is said above them, `actions`
 * stand beside; the rest is as for the table.
 */
export function plainPage({ title, actions, seconds, read, words, ...what }) {
	const state = el("p.subtitle", { role: "status" }, "Looking …");
	const table = new PlainTable({ label: title, ...what });

	async function look() {
		try {
			const rows = await read();
			say(state, words(rows));
			table.show(rows);
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			say(state, visible(error.message));
		}
	}

	return {
		title,
		node: el("div", el("div.heading", el("div", el("h1", title), state), actions ? el("div.actions", actions) : null), table.node),
		stop: every(seconds, look),
		look,
	};
}
