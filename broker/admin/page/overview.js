// The first page: how the broker does, what it did, and what needs a look.

import { ask, list } from "./api.js";
import { Chart } from "./chart.js";
import { at, el, link, name, renew, say, visible } from "./dom.js";
import { pageOf } from "./diagnose.js";
import { ago, bytes, clock, count, day, duration, number, plural, until } from "./format.js";
import { every } from "./live.js";
import { group } from "./object.js";
import { whyCell } from "./why.js";

const RANGES = { "5 min": 300, "15 min": 900, "1 h": 3600, "24 h": 86400 };
const POINTS = 300;
const LOOKS = 3;
const MOST = 40; // queues that are looked at
const perSecond = (value) => number(value);

const CHARTS = [
	{
		title: "Messages per second",
		format: perSecond,
		series: [{ name: "publishedPerSecond", label: "published" }, { name: "deliveredPerSecond", label: "delivered" }],
	},
	{
		title: "Messages waiting",
		format: count,
		series: [{ name: "callbackEntries", label: "for sessions" }, { name: "subjectEntries", label: "for login names" }],
	},
	{
		title: "Sessions attached",
		format: count,
		series: [{ name: "nativeAttached", label: "native" }, { name: "xmppAttached", label: "XMPP" }],
	},
	{
		title: "Dead messages per second",
		format: perSecond,
		series: [{ name: "deadPerSecond", label: "dead" }],
	},
	{
		title: "Time of a commit",
		format: duration,
		isSparse: true,
		series: [{ name: "commitSeconds", label: "mean" }],
	},
	{
		title: "Reactor behind",
		format: duration,
		series: [{ name: "reactorLagSeconds", label: "mean" }],
	},
];

export function show(place) {
	const charts = CHARTS.map((each) => new Chart(each));
	const chosen = Object.values(RANGES).includes(Number(place.query.seconds)) ? Number(place.query.seconds) : 300;
	const ranges = el(
		"div.segments",
		{ role: "group", "aria-label": "Time of the charts" },
		Object.entries(RANGES).map(([label, seconds]) =>
			el("a", { href: at(["overview"], { seconds }), "aria-current": seconds === chosen ? "true" : null }, label),
		),
	);
	const subtitle = el("p.subtitle");
	const looks = el("ul.looks");
	const facts = el("div.facts");
	const names = CHARTS.flatMap((each) => each.series.map((one) => one.name)).join(",");

	async function draw() {
		const history = await ask(`history?series=${names}&seconds=${chosen}&points=${POINTS}`, { automatic: true });
		if (!history.asOf) return; // nothing was looked at yet
		for (const chart of charts) chart.show(history);
	}

	async function look() {
		const queues = await list("queues", { sort: "-entries", minEntries: 1, limit: MOST }, { automatic: true });
		held = queues.items.filter((each) => each.relating !== "history" && !each.error);
		attend(last);
	}

	let held = [];
	let last = null;

	function attend(overview) {
		if (!overview) return;
		const found = [...alarms(overview), ...certificates(overview), ...held.slice(0, LOOKS).map(waiting), more(held.length - LOOKS)].filter(Boolean);
		renew(looks, found.length ? found : el("li.calm", "Nothing. No alarm, no message that waits, no certificate that ends soon."));
	}

	const ends = [every(chosen > 300 ? 5 : 1, draw), every(5, look)];
	return {
		title: "Overview",
		node: el(
			"div.overview",
			el("div.heading", el("div", el("h1", "Overview"), subtitle), ranges),
			el("section.attention", el("h2", "Needs a look"), looks),
			el("section.charts", { "aria-label": "Charts" }, charts.map((each) => each.node)),
			el("section", el("h2", "Now"), facts),
		),
		stop: () => ends.forEach((end) => end()),
		overview: (told) => {
			last = told;
			say(subtitle, [told.version, told.uptimeSeconds ? `up ${duration(told.uptimeSeconds)}` : "", `run level ${told.runLevel.level}, ${told.runLevel.name}`].filter(Boolean).join(" · "));
			attend(told);
			renew(facts, tell(told));
		},
	};
}

function alarms(overview) {
	return (overview.alarms ?? []).map((each) =>
		el(
			`li.${{ critical: "bad", warning: "warn" }[each.severity] ?? "note"}`,
			el("strong.whole", pageOf(each.href) ? link(pageOf(each.href), visible(each.detail)) : visible(each.detail)),
			el("span.cause", `for ${ago(each.since)}`),
			el("span.explained", visible(`${sentence(each.clients)} ${sentence(each.whatToDo)}`)),
		),
	);
}

function sentence(text) {
	const isName = /^\S+[./]\S/.test(text); // as it is written
	return `${isName ? text.charAt(0) : text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}

function certificates(overview) {
	const soon = Date.now() + 21 * 86400 * 1000;
	return overview.certificates
		.filter((each) => Date.parse(each.notAfter) < soon)
		.map((each) => {
			const isOver = Date.parse(each.notAfter) < Date.now();
			return el(`li.${isOver ? "bad" : "warn"}`, el("strong", "Certificate of ", name(each.listener)), el("span", isOver ? `ended ${day(each.notAfter)}` : `ends in ${until(each.notAfter)}`));
		});
}

function waiting(queue) {
	const address = at(["queues", queue.relating, queue.owner]);
	const isFull = queue.fillRatio >= 0.9;
	return el(
		`li${isFull ? ".warn" : ""}`,
		el("strong", link(address, name(queue.relating === "callback" ? queue.owner.replace(/~(?=[^~]*$)/, "/") : queue.owner))),
		el("span", `${count(queue.entries)} of ${plural(queue.maxEntries, "message")}`, queue.oldestAt ? `, oldest ${ago(queue.oldestAt)}` : ""),
		whyCell(queue.waiting),
	);
}

function more(number) {
	return number > 0 ? el("li.calm", link("#/queues?minEntries=1", `${number >= MOST - LOOKS ? "Many" : count(number)} more queues with messages`)) : null;
}

function tell(told) {
	const store = told.store ?? {};
	const queues = told.queues ?? {};
	const sessions = told.sessions ?? {};
	const of = (kind) => Object.entries(sessions[kind] ?? {}).filter(([, value]) => value).map(([state, value]) => `${count(value)} ${state}`).join(", ");
	return [
		group("Clients", [
			["Connections", link("#/connections", count(told.connections.open)), told.connections.notLoggedIn ? `${count(told.connections.notLoggedIn)} not logged in` : ""],
			["Native sessions", link("#/sessions?kind=native", of("native") || "0")],
			["XMPP sessions", link("#/sessions?kind=xmpp", of("xmpp") || "0")],
			["Login names", count(told.subjects)],
			["Topics", link("#/topics", count(told.topics))],
			["Subscriptions", count(told.subscriptions)],
		]),
		group("Messages", [
			["Published", count(told.messages?.published)],
			["Delivered", count(told.messages?.delivered)],
			["Dead", link("#/dead", count(told.messages?.dead))],
			...["callback", "subject", "history"].map((each) => [
				{ callback: "Waiting for sessions", subject: "Waiting for login names", history: "In histories" }[each],
				link(`#/queues?relating=${each}`, count(queues[each]?.entries)),
				queues[each] ? `${bytes(queues[each].bytes)}, ${count(queues[each].onDisk)} on disk only` : "",
			]),
		]),
		group("Store and process", [
			["Store", el(`span${store.failing ? ".bad" : ".good"}`, told.store ? (store.failing ? `cannot commit for ${duration(store.failingSeconds)}` : "commits") : "not open")],
			["Waiting for commit", bytes(store.backlogBytes)],
			["Database", link("#/queues?sort=-bytes", bytes(store.databaseBytes)), store.walBytes !== undefined ? `and ${bytes(store.walBytes)} of log` : ""],
			["Free on its disk", bytes(store.freeDiskBytes)],
			["Memory", bytes(told.process.residentBytes)],
			["Started", clock(told.startedAt)],
		]),
		group("Limits", told.limits.map((each) => [each.name, meter(each), `${count(each.used)} of ${count(each.most)} connections`])),
	];
}

function meter({ name: label, used, most }) {
	return el("meter", { value: used, max: most, high: most * 0.9, "aria-label": `${label}: connections used` });
}

