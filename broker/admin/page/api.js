// Asks the broker. The session is a cookie that scripts cannot see; nothing of it is kept here but the token for changes.

const BASE = "api/v1";
const TIMES = 4; // that is asked for what was too much at once
const LONGEST = 5; // seconds between these
const AT_ONCE = 2; // lists that the broker makes for one principal at a time

/** What a request was refused with. */
export class Refused extends Error {
	constructor(status, problem, retryAfter = 0) {
		super(problem.detail || problem.title || `status ${status}`);
		this.status = status;
		this.problem = problem;
		this.retryAfter = retryAfter; // seconds
	}
}

/** The broker cannot be reached. */
export class Unreachable extends Error {}

/** Who is logged in, and when the broker was last heard. */
export const state = { user: "", role: "", csrfToken: "", heard: 0, asked: 0 };
const listeners = new Set();
let entering = null;
let enter = null;
let running = 0;
const waiting = [];

/** Be told of logins, logouts and answers; gives a function that ends that. */
export function watch(listener) {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

function tell() {
	for (const each of listeners) each(state);
}

/** Ask for something of the API, or by `/path` of the site, and give what it answers. Where that needs a login, it waits for one. */
export async function ask(path, { method = "GET", body, automatic = false, signal, headers } = {}) {
	for (let times = 1; ; times += 1) {
		try {
			return await send(path.startsWith("/") ? path.slice(1) : `${BASE}/${path}`, method, body, automatic, signal, headers);
		} catch (error) {
			if (error instanceof Refused && error.status === 429 && method === "GET" && times < TIMES) {
				await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(LONGEST, Math.max(1, error.retryAfter))));
				continue;
			}
			if (!(error instanceof Refused) || error.status !== 401) throw error;
			if (method !== "GET") {
				needLogin();
				throw error;
			}
			await needLogin();
		}
	}
}

/** Ask for a list; a few at a time. */
export async function list(path, parameters, options) {
	const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined));
	if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
	running += 1;
	try {
		return await ask(`${path}?${query}`, options);
	} finally {
		running -= 1;
		waiting.shift()?.();
	}
}

/** Ask for a change. */
export function change(path, method, body, headers) {
	return ask(path, { method, body, headers });
}

async function send(path, method, body, automatic, signal, others) {
	const headers = { Accept: "application/json", ...others };
	if (automatic) headers["X-Broker-Automatic"] = "1";
	if (method !== "GET") headers["X-Broker-CSRF"] = state.csrfToken;
	if (body !== undefined) headers["Content-Type"] = "application/json";
	state.asked = Date.now();
	let answer;
	try {
		answer = await fetch(path, {
			method,
			headers,
			body: body === undefined ? undefined : JSON.stringify(body),
			credentials: "same-origin",
			cache: "no-store",
			signal,
		});
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new Unreachable("the broker does not answer");
	}
	const text = await answer.text();
	let told = {};
	try {
		told = text ? JSON.parse(text) : {};
	} catch {
		told = { detail: "the answer is not what a broker sends" };
	}
	state.heard = Date.now();
	if (!answer.ok) throw new Refused(answer.status, told, Number(answer.headers.get("Retry-After") ?? 0));
	return told;
}

/** Resolves when somebody is logged in. */
export function needLogin() {
	if (!entering) {
		entering = new Promise((resolve) => (enter = resolve));
		Object.assign(state, { user: "", role: "", csrfToken: "" });
		tell();
	}
	return entering;
}

/** Whether a login is wanted. */
export function loginNeeded() {
	return entering !== null;
}

/** Who asks, as the broker sees it. */
export async function whoAmI() {
	entered(await send(`${BASE}/me`, "GET", undefined, false));
}

/** Log in. */
export async function logIn(user, password) {
	entered(await send(`${BASE}/login`, "POST", { user, password }, false));
}

/** Log out. */
export async function logOut() {
	await send(`${BASE}/logout`, "POST", undefined, false);
	needLogin();
}

function entered(me) {
	Object.assign(state, { user: me.user ?? "", role: me.role ?? "", csrfToken: me.csrfToken ?? "" });
	if (!state.user) {
		needLogin();
		return;
	}
	const resolve = enter;
	entering = enter = null;
	resolve?.();
	tell();
}

/** Whether whoever is logged in has at least this role. */
export function may(role) {
	const roles = ["", "monitoring", "operator", "administrator"];
	return roles.indexOf(state.role) >= roles.indexOf(role);
}

/** The path of an object: its segments, escaped once. */
export function path(...segments) {
	return segments.map((each) => encodeURIComponent(each)).join("/");
}
