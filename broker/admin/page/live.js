// Does things again and again, as long as the page is seen.

import { Refused, Unreachable } from "./api.js";

/** Call a function now and every so many seconds, never twice at a time; gives a function that ends that. */
export function every(seconds, work) {
	let timer = 0;
	let ended = false;
	let busy = false;

	async function turn() {
		clearTimeout(timer);
		if (busy || ended) return;
		busy = true;
		try {
			if (!document.hidden) await work();
		} catch (error) {
			// What cannot be reached or is refused now may be there the next time; the frame tells since when nothing came.
			if (!(error instanceof Refused || error instanceof Unreachable || error.name === "AbortError")) throw error;
		} finally {
			busy = false;
			if (!ended) timer = setTimeout(turn, seconds * 1000);
		}
	}

	const shown = () => document.hidden || turn();
	document.addEventListener("visibilitychange", shown);
	turn();
	return () => {
		ended = true;
		clearTimeout(timer);
		document.removeEventListener("visibilitychange", shown);
	};
}

/** Call a function when nothing has happened for a while. */
export function after(milliseconds, work) {
	let timer = 0;
	return (...given) => {
		clearTimeout(timer);
		timer = setTimeout(() => work(...given), milliseconds);
	};
}
