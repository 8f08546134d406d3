// A table of what is short, and comes in one piece.

import { may } from "./api.js";
import { el, renew } from "./dom.js";

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
