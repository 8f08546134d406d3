// Follows what changes, by server-sent events, as long as the page is seen: a hidden one leaves its connection to others.

import { loginNeeded, needLogin, Refused, state } from "./api.js";

const AGAIN = 2000; // milliseconds until a stream that ended is asked for again
const SILENCE = 10_000; // without a byte after which it is taken for dead

/** Read a stream to its end: `take(event, row)` for each event. Where it needs a login, it waits for one. */
export async function read(path, take, signal) {
	for (;;) {
		if (loginNeeded()) await needLogin();
		const answer = await fetch(`api/v1/${path}`, {
			headers: { Accept: "text/event-stream", "X-Broker-Automatic": "1" },
			credentials: "same-origin",
			cache: "no-store",
			signal,
		});
		if (answer.status === 401) {
			await needLogin();
			continue;
		}
		if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
		const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
		let text = "";
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			state.heard = Date.now();
			const frames = (text + value).split("\n\n");
			text = frames.pop();
			for (const frame of frames) tell(frame, take);
		}
	}
}

function tell(frame, take) {
	const fields = Object.fromEntries(frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
	if (fields.event && fields.data) take(fields.event, JSON.parse(fields.data));
}

/**
 * Follow a stream until it is stopped: `path()` names it, each time that it is asked for anew, `take(event, row)` is
 * called for each event, and `refused(error)` where there is none to be had. Gives a function that ends it.
 */
export function follow(path, take, refused) {
	let aborter = null;
	let isOver = false;

	async function run() {
		for (;;) {
			if (document.hidden) await shown();
			if (isOver) return;
			aborter = new AbortController();
			try {
				await read(path(), take, aborter.signal);
			} catch (error) {
				if (isOver) return;
				if (error instanceof Refused) await refused(error);
				// The connection is lost, or the page was hidden; after some seconds without data the frame says so.
				else if (!isLost(error)) throw error;
			}
			if (isOver) return;
			if (!document.hidden) await new Promise((resolve) => setTimeout(resolve, AGAIN));
		}
	}

	const hide = () => document.hidden && aborter?.abort();
	document.addEventListener("visibilitychange", hide);
	const timer = setInterval(() => Date.now() - state.heard > SILENCE && aborter?.abort(), 1000);
	run();
	return () => {
		isOver = true;
		document.removeEventListener("visibilitychange", hide);
		clearInterval(timer);
		aborter?.abort();
	};
}

/** Whether a stream ended because the connection did, or was given up. */
export function isLost(error) {
	return error instanceof TypeError || error.name === "AbortError" || error.name === "NetworkError";
}

function shown() {
	return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}
