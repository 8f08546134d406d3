// The frame: what is around all pages, and which page an address leads to.

import { ask, logOut, loginNeeded, Refused, state, Unreachable, watch, whoAmI } from "./api.js";
import { el, name, put, renew, say, visible } from "./dom.js";
import { clock } from "./format.js";
import { keys } from "./keys.js";
import { loginForm, noRole } from "./login.js";
import { LISTED, MENU, pageOf } from "./pages.js";
import { searchBox } from "./search.js";
import { follow } from "./stream.js";
import { themeSwitch } from "./theme.js";

const SILENT = 10; // seconds without an answer after which the page says so

let current = null;
let told = null;
const main = el("main", { id: "main", tabindex: "-1" });
const node = el("strong.node");
const level = el("span.level");
const user = el("span.user");
const leave = el("button.quiet", { type: "button", click: () => logOut() }, "Log out");
const silence = el("p.silence", { role: "status", hidden: true });
const links = LISTED.map((each) => el("a", { href: `#/${each.segments[0]}`, "aria-keyshortcuts": `g ${each.key}` }, each.title));
const menu = MENU.map(([title, pages]) =>
	el("div", title ? { role: "group", "aria-label": title } : null, title ? el("p.title", { "aria-hidden": "true" }, title) : null, pages.map((each) => links[LISTED.indexOf(each)])),
);
const search = searchBox();
const login = loginForm();

/** The place that an address names: its segments and its parameters. */
function placeOf(hash) {
	const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
	try {
		const segments = path.split("/").filter(Boolean).map(decodeURIComponent);
		return { segments: segments.length ? segments : ["overview"], query: Object.fromEntries(new URLSearchParams(query)) };
	} catch {
		return { segments: ["overview"], query: {} };
	}
}

function go() {
	const place = placeOf(location.hash);
	const found = pageOf(place);
	current?.stop?.();
	current = null;
	for (const each of links) {
		const isHere = each.hash === `#/${place.segments[0]}`;
		if (isHere) {
			each.setAttribute("aria-current", "page");
			each.scrollIntoView({ block: "nearest", inline: "center" });
		}
		else each.removeAttribute("aria-current");
	}
	if (state.user && !state.role) {
		put(main, noRole());
		return;
	}
	if (!found) {
		put(main, el("div.empty", el("h1", "There is no such page"), el("p", "The address is ", el("code", visible(location.hash)))));
		return;
	}
	current = found.page.show(place);
	put(main, current.node);
	document.title = `${visible(current.title)} – ${told ? told.node : "Broker"}`;
	if (told) current.overview?.(told);
}

/** Without a stream, ask. */
async function poll() {
	if (loginNeeded() || !state.role) return;
	try {
		take(await ask("overview", { automatic: true }));
	} catch (error) {
		excuse(error);
	}
}

function excuse(error) {
	if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
}

function take(row) {
	told = row;
	say(node, visible(told.node));
	const isReady = told.ready;
	level.className = `level ${isReady ? "good" : "warn"}`;
	renew(level, el("b", isReady ? "ready" : "not ready", el("span", `, run level ${told.runLevel.level}`)));
	current?.overview?.(told);
}

function hear() {
	const isSilent = state.heard > 0 && (Date.now() - state.heard) / 1000 > SILENT && !loginNeeded();
	document.documentElement.classList.toggle("silent", isSilent);
	silence.hidden = !isSilent;
	if (isSilent) say(silence, `No data since ${clock(state.heard)} – connection lost, trying again`);
}

watch(() => {
	put(user, state.user ? [name(state.user), el("small", state.role || "no role")] : null);
	leave.hidden = !state.user || state.user.startsWith("uid ");
	if (!loginNeeded()) go();
});

document.body.append(
	el("a.skip", { href: "#main", click: (event) => (event.preventDefault(), main.focus()) }, "To the content"),
	el("header.top", el("a.brand", { href: "#/overview", "aria-label": "Overview" }, el("img", { src: "./page/icon.svg", alt: "", width: 24, height: 24 })), node, level, search.node, user, themeSwitch(), leave),
	el("nav", { "aria-label": "Pages" }, menu),
	silence,
	main,
	login.node,
);
keys(LISTED, () => search.focus());
addEventListener("hashchange", () => {
	document.querySelector("dialog.change[open]:not(:has(.once))")?.close(); // it was about what is left
	go();
});
addEventListener("focus", () => loginNeeded() && whoAmI().catch(excuse)); // another tab may have logged in
setInterval(hear, 1000);

async function begin() {
	for (;;) {
		try {
			await whoAmI();
			break;
		} catch (error) {
			put(main, el("div.empty", el("p", "The broker does not answer yet: ", visible(error.message))));
			await new Promise((resolve) => setTimeout(resolve, 1000));
		}
	}
	login.follow();
	follow(() => "stream?what=overview", (event, row) => event === "overview" && take(row), poll);
}

begin();
