// A table of any length: there are nodes for the rows that are seen, and no others.

import { Refused } from "./api.js";
import { el, put, say } from "./dom.js";
import { clock, count, plural } from "./format.js";
import { every } from "./live.js";
import { Rows } from "./rows.js";

const HEIGHT = 28;
const MORE = 3; // rows above and below those that are seen
const SECONDS = 2;
const UNIT = 0.52; // rem that a character takes
const LEAST = 24; // characters of a column that takes what is left
let numbers = 0;

/**
 * A table.
 *
 * `what` says what it lists: `label`, `noun`, `path` and `parameters` of the API, `columns`, `sort`, `idOf`, `open`
 * (the address of a row), `go` (to another order), `empty` (what to say where nothing matches). A column has
 * `title` and `cell`, and may have `sort`, `width` in characters, `isNumber`, `isHidden`.
 */
export class Table {
	constructor(what) {
		this.what = what;
		this.id = `table${(numbers += 1)}`;
		this.nodes = new Map();
		this.current = -1;
		this.rows = new Rows(what.path, { ...what.parameters, ...(what.sort ? { sort: what.sort } : {}) }, what.idOf);
		this.head = el("tr");
		this.before = el("tr", { "aria-hidden": "true" });
		this.behind = el("tr", { "aria-hidden": "true" });
		this.body = el("tbody", this.before, this.behind);
		this.grid = el(
			"table",
			{ role: "grid", tabindex: "0", "aria-label": what.label, keydown: (event) => this.key(event) },
			el("thead", this.head),
			this.body,
		);
		this.scroller = el("div.rows", { scroll: () => this.scrolled() }, this.grid);
		this.status = el("p.status", { role: "status" });
		this.more = el("button.more", { type: "button", hidden: true, click: () => this.restart() });
		this.none = el("div.empty", { hidden: true });
		this.node = el("section.table", this.scroller, this.none, el("footer", this.status, this.more, this.chooser()));
		this.columns();
		this.resized = new ResizeObserver(() => this.draw());
		this.resized.observe(this.scroller);
		this.end = every(what.seconds ?? SECONDS, () => this.turn());
	}

	/** End it. */
	stop() {
		this.end();
		this.resized.disconnect();
		this.rows.stop();
	}

	get stored() {
		return `shown.${this.what.path}`;
	}

	shown() {
		const kept = localStorage.getItem(this.stored);
		const chosen = kept === null ? null : new Set(kept.split(","));
		return this.what.columns.filter((each, index) => (chosen && index ? chosen.has(each.title) : !each.isHidden));
	}

	chooser() {
		const boxes = this.what.columns.slice(1).map((column) => {
			const box = el("input", { type: "checkbox", value: column.title, change: () => this.choose(boxes) });
			box.checked = this.shown().includes(column);
			return box;
		});
		const labels = boxes.map((box, index) => el("label", box, this.what.columns[index + 1].title));
		return el("details.chooser", el("summary", "Columns"), el("div", labels));
	}

	choose(boxes) {
		localStorage.setItem(this.stored, boxes.filter((box) => box.checked).map((box) => box.value).join(","));
		this.columns();
		for (const node of this.nodes.values()) node.remove();
		this.nodes.clear();
		this.draw();
	}

	columns() {
		const sort = this.what.sort ?? "";
		const [field, descending] = [sort.replace(/^-/, ""), sort.startsWith("-")];
		this.visible = this.shown();
		put(
			this.head,
			this.visible.map((column) => {
				const isSort = column.sort !== undefined && column.sort === field;
				const cell = el(`th${column.isNumber ? ".number" : ""}`, {
					scope: "col",
					"aria-sort": isSort ? (descending ? "descending" : "ascending") : null,
				});
				const first = column.isNumber ? `-${column.sort}` : column.sort;
				const next = isSort ? (descending ? column.sort : `-${column.sort}`) : first;
				const content = column.sort
					? el("button", { type: "button", click: () => this.what.go({ sort: next }) }, column.title)
					: column.title;
				cell.append(content);
				cell.style.width = column.width ? `${column.width * UNIT}rem` : "auto";
				return cell;
			}),
		);
		for (const spacer of [this.before, this.behind]) {
			put(spacer, el("td", { colspan: this.visible.length }));
		}
		this.grid.style.minWidth = `${this.visible.reduce((sum, column) => sum + (column.width ?? LEAST), 0) * UNIT}rem`;
	}

	/** Fetch again. Nothing jumps under the pointer, or while somebody goes through the rows by keys. */
	async turn() {
		try {
			const isWatched = this.node.matches(":hover") || this.node.contains(document.activeElement);
			const first = this.first();
			if (!this.rows.pages[0].rows) await this.rows.fetch(first, this.last());
			else if (!isWatched && first === 0) await this.rows.restart();
			else await this.rows.renew(first, this.last());
			this.refused = null;
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			// What is asked too much now, or starts again, is there soon: the rows that are there stay.
			this.refused = [429, 503].includes(error.status) && this.rows.pages[0].rows ? null : error;
		}
		this.draw();
		await this.missing();
	}

	async restart() {
		this.scroller.scrollTop = 0;
		await this.rows.restart();
		this.draw();
	}

	async scrolled() {
		this.draw();
		await this.missing();
	}

	async missing() {
		if (this.fetching || !this.rows.pages[0].rows) return;
		this.fetching = true;
		try {
			while (await this.rows.fetch(this.first(), this.last())) this.draw();
		} catch (error) {
			if (error.name !== "AbortError" && !(error instanceof Refused)) throw error;
		} finally {
			this.fetching = false;
		}
	}

	first() {
		return Math.max(0, Math.floor(this.scroller.scrollTop / HEIGHT) - MORE);
	}

	last() {
		const seen = Math.ceil(this.scroller.clientHeight / HEIGHT) + 2 * MORE;
		return Math.max(0, Math.min(this.rows.length, this.first() + seen) - 1);
	}

	draw() {
		const length = this.rows.length;
		const [first, last] = [this.first(), length ? this.last() : -1];
		for (const [index, node] of this.nodes) {
			if (index < first || index > last) {
				node.remove();
				this.nodes.delete(index);
			}
		}
		for (let index = last; index >= first; index -= 1) this.row(index);
		this.before.firstChild.style.height = `${first * HEIGHT}px`;
		this.behind.firstChild.style.height = `${Math.max(0, length - last - 1) * HEIGHT}px`;
		this.before.hidden = first === 0;
		this.behind.hidden = last >= length - 1;
		this.grid.setAttribute("aria-rowcount", String(length + 1));
		this.say(length);
	}

	row(index) {
		let node = this.nodes.get(index);
		const row = this.rows.at(index);
		if (!node) {
			node = el("tr", {
				id: `${this.id}-${index}`,
				"aria-rowindex": String(index + 2),
				click: (event) => this.clicked(event, index),
			});
			node.append(...this.visible.map((column) => el(`td${column.isNumber ? ".number" : ""}`)));
			(this.nodes.get(index + 1) ?? this.behind).before(node);
			this.nodes.set(index, node);
		}
		node.classList.toggle("current", index === this.current);
		if (node.row === row && row) return;
		node.row = row;
		node.classList.toggle("gone", Boolean(row?.isGone));
		this.visible.forEach((column, place) => {
			const cell = node.children[place];
			const content = row === undefined ? "" : row.error ? (place ? "" : `${row.id}: ${row.error}`) : column.cell(row);
			if (content instanceof Node) {
				if (cell.textContent !== content.textContent || cell.firstChild?.href !== content.href) put(cell, content);
			} else say(cell, content);
			if (cell.title !== cell.textContent) cell.title = cell.textContent;
		});
	}

	say(length) {
		const { refused, rows } = this;
		const isEmpty = length === 0 && rows.pages[0].rows !== null;
		this.none.hidden = !isEmpty && !refused;
		this.scroller.hidden = !this.none.hidden;
		if (refused) put(this.none, el("p", refused.message));
		else if (isEmpty && !this.none.firstChild) put(this.none, this.what.empty);
		else if (!isEmpty) put(this.none);
		const cut = rows.complete ? "" : ", cut: looking at more took too long";
		const more = rows.isCounted || rows.pages[rows.pages.length - 1].rows ? "" : "and more, ";
		say(this.status, rows.asOf ? `${plural(more ? length - 1 : length, ...this.what.noun)}${cut}, ${more}as of ${clock(rows.asOf)}` : "Loading …");
		this.more.hidden = rows.fresh === 0;
		say(this.more, `${count(rows.fresh)} new, show`);
	}

	clicked(event, index) {
		this.pick(index);
		if (event.target.closest("a, button, input") || getSelection()?.toString()) return;
		this.enter();
	}

	enter() {
		const row = this.rows.at(this.current);
		if (row && !row.error && this.what.open) location.hash = this.what.open(row);
	}

	pick(index) {
		this.nodes.get(this.current)?.classList.remove("current");
		this.current = Math.max(0, Math.min(this.rows.length - 1, index));
		const top = this.current * HEIGHT;
		const head = this.head.offsetHeight;
		if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
		else if (top + HEIGHT + head > this.scroller.scrollTop + this.scroller.clientHeight) {
			this.scroller.scrollTop = top + HEIGHT + head - this.scroller.clientHeight;
		}
		this.draw();
		if (this.nodes.has(this.current)) this.grid.setAttribute("aria-activedescendant", `${this.id}-${this.current}`);
	}

	key(event) {
		if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
		const page = Math.max(1, Math.floor(this.scroller.clientHeight / HEIGHT) - 2);
		const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
		if (event.key === "Enter") this.enter();
		else if (event.key in steps) {
			event.preventDefault();
			this.pick(this.current < 0 ? 0 : this.current + steps[event.key]);
		}
	}
}
