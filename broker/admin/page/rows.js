// The rows of a list as the broker gives them: page by page, each behind the last row of the one before.

import { list } from "./api.js";

const SIZE = 200;
const MOST_PAGES = 40; // that are kept; what was scrolled past long ago is asked for again

/** Keeps the pages of one list. */
export class Rows {
	/** A list at a path of the API, with parameters; `idOf` tells rows apart. */
	constructor(path, parameters, idOf) {
		this.path = path;
		this.parameters = parameters;
		this.idOf = idOf;
		this.pages = [{ cursor: undefined, rows: null, used: 0 }];
		this.matched = 0;
		this.isCounted = true;
		this.asOf = "";
		this.complete = true;
		this.fresh = 0; // rows that the broker has by now and the reader does not see yet
		this.aborter = new AbortController();
	}

	/** Rows that there are; those that were not fetched count, too. */
	get length() {
		const last = this.pages.length - 1;
		const known = last * SIZE + (this.pages[last].rows?.length ?? 0);
		if (!this.isCounted) return known + (this.pages[last].rows || last === 0 ? 0 : 1);
		return Math.max(known, this.matched);
	}

	/** The row at a place, or undefined where it was not fetched. */
	at(index) {
		return this.pages[Math.floor(index / SIZE)]?.rows?.[index % SIZE];
	}

	/** Fetch what is missing of some places; gives whether something came. */
	async fetch(first, last, automatic = false) {
		const until = Math.floor(Math.max(first, last) / SIZE);
		let came = false;
		const from = Math.min(Math.floor(first / SIZE), this.pages.length - 1);
		for (let number = from; number <= until && number < this.pages.length; number += 1) {
			this.pages[number].used = Date.now();
			if (this.pages[number].rows) continue;
			await this.load(number, automatic);
			came = true;
		}
		this.forget();
		return came;
	}

	async load(number, automatic) {
		const told = await this.ask(this.pages[number].cursor, automatic);
		this.pages[number].rows = told.items;
		const next = told.page.next;
		if (!next) this.pages.length = number + 1;
		else if (number + 1 === this.pages.length) this.pages.push({ cursor: next, rows: null, used: 0 });
		return told;
	}

	async ask(cursor, automatic) {
		const parameters = { ...this.parameters, limit: SIZE, cursor };
		const told = await list(this.path, parameters, { automatic, signal: this.aborter.signal });
		this.matched = told.page.matched ?? 0;
		this.complete = told.page.complete ?? true;
		this.isCounted = told.page.matched !== undefined; // else there is one more place as long as there is a next page
		this.asOf = told.asOf;
		return told;
	}

	/** Fetch the rows of some places again: their values change, their places do not. */
	async renew(first, last) {
		let fresh = 0;
		for (const number of new Set([Math.floor(first / SIZE), Math.floor(last / SIZE)])) {
			const page = this.pages[number];
			if (!page?.rows) continue;
			const told = await this.ask(page.cursor, true);
			const byId = new Map(told.items.map((row) => [this.idOf(row), row]));
			page.rows = page.rows.map((row) => {
				const id = this.idOf(row);
				const now = byId.get(id);
				byId.delete(id);
				return now ?? { ...row, isGone: true };
			});
			fresh += byId.size;
		}
		this.fresh = fresh;
	}

	/** Fetch the first page again and take it as it is. */
	async restart() {
		const told = await this.ask(undefined, true);
		this.pages = [{ cursor: undefined, rows: told.items, used: Date.now() }];
		if (told.page.next) this.pages.push({ cursor: told.page.next, rows: null, used: 0 });
		this.fresh = 0;
	}

	forget() {
		const loaded = this.pages.filter((page) => page.rows).sort((one, other) => one.used - other.used);
		for (const page of loaded.slice(0, Math.max(0, loaded.length - MOST_PAGES))) page.rows = null;
	}

	/** Give up what is on its way. */
	stop() {
		this.aborter.abort();
	}
}
