// What is wrong, the worst first, and what to do about it.

import { ask, Refused, state as who } from "./api.js";
import { save } from "./definitions.js";
import { changeButton, toast } from "./dialog.js";
import { el, renew, say, visible } from "./dom.js";
import { clock, number } from "./format.js";
import { every } from "./live.js";
import { PlainTable } from "./plain.js";

const PAGES = new Set(["sessions", "queues", "topics", "connections", "audit"]);
const SECONDS = 10;

const TONES = { pass: "good", warn: "warn", fail: "bad" };
const CHECKS = [
	{ title: "Check", cell: (row) => row.name },
	{ title: "Outcome", cell: (row) => el(`span.${TONES[row.status] ?? "muted"}`, row.status) },
	{ title: "Detail", cell: (row) => visible(row.detail ?? "") },
];

/** The page of the console for a path of the API; none where there is no such page. */
export function pageOf(href) {
	const path = (href ?? "").replace(/^\/api\/v1\//, "");
	return PAGES.has(path.split(/[/?]/)[0]) ? `#/${path}` : "";
}

export function show() {
	const findings = el("div.findings");
	const checks = new PlainTable({ label: "Checks", columns: CHECKS });
	const state = el("p.subtitle", { role: "status" }, "Looking …");

	async function look() {
		try {
			const told = await ask("diagnose", { automatic: true });
			say(state, told.findings.length ? `${told.findings.length} found, as of ${clock(told.asOf)}` : `as of ${clock(told.asOf)}`);
			renew(findings, told.findings.length ? told.findings.map(finding) : el("p.calm", "Nothing is wrong that the broker can see."));
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			say(state, visible(error.message));
		}
	}

	async function check() {
		const told = await ask("/health/checks", { automatic: true }).catch((error) => {
			if (error instanceof Refused && error.problem.checks) return error.problem;
			throw error;
		});
		checks.show(told.checks);
	}

	async function bundle(anonymise) {
		const headers = { "X-Broker-CSRF": who.csrfToken, "Content-Type": "application/json" };
		const answer = await fetch("api/v1/diagnose/bundle", { method: "POST", headers, body: JSON.stringify({ anonymise }) });
		if (answer.ok) save(await answer.blob(), "broker-bundle.zip");
		toast(answer.ok ? "The bundle is written" : `There is no bundle: status ${answer.status}`);
	}

	const ends = [every(SECONDS, look), every(SECONDS, check)];
	return {
		title: "Diagnose",
		node: el("div.diagnose", el("div.heading", el("div", el("h1", "Diagnose"), state), el("div.actions", changeButton("Bundle", "administrator", () => bundle(false)), changeButton("Bundle without names", "administrator", () => bundle(true)))), findings, el("section.panel", el("h2", "Checks"), checks.node)),
		stop: () => ends.forEach((end) => end()),
	};
}

function finding(each) {
	const place = pageOf(each.href);
	const evidence = Object.entries(each.evidence ?? {});
	return el(
		`article.${each.severity}`,
		el("h2", visible(each.title)),
		el("p", visible(each.clients)),
		el("p.todo", el("span", "What to do "), visible(each.whatToDo), place ? [" ", el("a", { href: place }, "Show them")] : null),
		evidence.length ? el("p.evidence", evidence.map(([key, value]) => el("span", `${visible(key)} `, el("b", typeof value === "number" ? number(value) : visible(value))))) : null,
	);
}
