// What happens, row by row, the newest on top. Nothing moves under the pointer, or while somebody has scrolled down.

import { el, say } from "./dom.js";
import { clock, count, plural } from "./format.js";

const MOST = 500; // rows that are kept
const PAUSE = 250; // milliseconds in which rows are collected before they are shown
const SPOKEN = 5000; // milliseconds between two things that are said

/** A feed: `label`, `noun`, `columns` as of a plain table, and `empty`, what to say before anything has come. */
export class Feed {
	constructor({ label, noun, columns, empty }) {
		this.noun = noun;
		this.columns = columns;
		this.waiting = [];
		this.total = 0;
		this.words = "";
		this.isPaused = false;
		this.timer = 0;
		this.spoken = 0;
		this.body = el("tbody");
		this.none = el("div.empty", empty);
		this.table = el("table", { hidden: true }, el("thead", el("tr", columns.map(({ title, isNumber }) => el(`th${isNumber ? ".number" : ""}`, { scope: "col" }, title)))), this.body);
		this.scroller = el("div.rows", { tabindex: "0", role: "region", "aria-label": label, mouseleave: () => this.later(), scroll: () => this.later() }, this.table, this.none);
		this.status = el("p.status", { role: "status" });
		this.more = el("button.more", { type: "button", hidden: true, click: () => this.release() });
		this.pause = el("button.quiet", { type: "button", "aria-pressed": "false", click: () => this.hold(!this.isPaused) }, "Pause");
		this.node = el("section.table.feed", this.scroller, el("footer", this.status, this.more, this.pause));
	}

	/** One more row. */
	add(row) {
		this.total += 1;
		this.waiting.push(row);
		if (this.waiting.length > MOST) this.waiting.shift();
		this.later();
	}

	/** How it goes on, said beside the number of rows. */
	tell(words) {
		this.words = words;
		this.later();
	}

	/** Begin with nothing. */
	clear() {
		this.waiting = [];
		this.total = 0;
		this.body.replaceChildren();
		this.later();
	}

	hold(isPaused) {
		this.isPaused = isPaused;
		this.pause.setAttribute("aria-pressed", String(isPaused));
		say(this.pause, isPaused ? "Go on" : "Pause");
		this.later();
	}

	release() {
		this.scroller.scrollTop = 0;
		this.hold(false);
		this.show();
		this.draw();
	}

	later() {
		this.timer ||= setTimeout(() => {
			this.timer = 0;
			const isRead = this.body.firstChild && (this.scroller.matches(":hover") || this.scroller.scrollTop > 0);
			if (!this.isPaused && !isRead) this.show();
			this.draw();
		}, PAUSE);
	}

	show() {
		const rows = this.waiting.splice(0).reverse();
		this.body.prepend(...rows.map((row) => el("tr", this.columns.map(({ cell, isNumber }) => filled(el(`td${isNumber ? ".number" : ""}`, cell(row)))))));
		while (this.body.children.length > MOST) this.body.lastChild.remove();
	}

	draw() {
		const isEmpty = this.body.children.length === 0;
		this.none.hidden = !isEmpty;
		this.table.hidden = isEmpty;
		this.more.hidden = this.waiting.length === 0;
		say(this.more, `${count(this.waiting.length)} new, show`);
		const now = Date.now();
		if (now - this.spoken < SPOKEN && this.said === this.words) {
			this.timer ||= setTimeout(() => ((this.timer = 0), this.draw()), SPOKEN);
			return;
		}
		this.spoken = now;
		this.said = this.words;
		say(this.status, `${plural(this.total, ...this.noun)}${this.words ? `, ${this.words}` : ""}, as of ${clock(now)}`);
	}
}

function filled(cell) {
	cell.title = cell.textContent;
	return cell;
}
