// A page of one object: its name, what can be done, what is known, fetched again and again.

import { ask, Refused } from "./api.js";
import { el, link, name, renew, visible } from "./dom.js";
import { every } from "./live.js";

/**
 * The page.
 *
 * `title` is the name and `trail` the list above it, an address and words; `path` is that of the API; `tell(row)` makes
 * what is shown, `gone` says what it means that it is not there, and may be followed by `instead`. `actions(read, look)`
 * makes the buttons, which are hidden as long as there is no row; `follow(row)` is told of each; `below` is shown below.
 */
export function objectPage({ title, heading, trail, path, tell, gone, instead, actions, follow, below = [], seconds = 1, stop }) {
	const content = el("div.details");
	let row = null;
	const buttons = actions ? el("div.actions", { hidden: true }, actions(() => row, look)) : null;

	const rest = el("div", below);

	async function look() {
		try {
			row = await ask(path, { automatic: true });
			follow?.(row);
			renew(content, tell(row));
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			if ([429, 503].includes(error.status) && row) return; // it is there soon
			row = null;
			renew(content, el("div.empty", el("p", error.status === 404 ? gone : visible(error.message)), instead));
		}
		rest.hidden = row === null;
		if (buttons) buttons.hidden = row === null;
	}

	const end = every(seconds, look);
	return {
		title,
		node: el("div.object", el("p.trail", link(...trail)), el("div.heading", heading ?? el("h1", name(title)), buttons), content, rest),
		stop: () => {
			end();
			stop?.();
		},
	};
}

/** Facts of one kind: rows of a term, a value and what is said below it. */
export function group(title, rows) {
	return el(
		"div",
		el("h2", title),
		el("dl", rows.map(([term, value, more]) => el("div", el("dt", term), el("dd", value, more ? el("small", more) : null)))),
	);
}
