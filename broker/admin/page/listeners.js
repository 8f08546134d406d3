// Listeners: ports for clients, and the certificates that they show.

import { ask, path } from "./api.js";
import { askForChange, changeButton } from "./dialog.js";
import { at, el, link, renew, terms, visible } from "./dom.js";
import { count, day, number } from "./format.js";
import { every } from "./live.js";

const SECONDS = 2;
const SOON = 21; // days

export function show() {
	const cards = new Map();
	const holder = el("div.cards");

	async function look() {
		const told = await ask("listeners", { automatic: true });
		for (const row of told.items) {
			if (!cards.has(row.name)) {
				const card = new Card(look);
				cards.set(row.name, card);
				holder.append(card.node);
			}
			cards.get(row.name).show(row);
		}
		for (const [name, card] of cards) {
			if (told.items.some((row) => row.name === name)) continue;
			card.node.remove();
			cards.delete(name);
		}
	}

	const end = every(SECONDS, look);
	return { title: "Listeners", node: el("div", el("div.heading", el("h1", "Listeners")), holder), stop: end };
}

class Card {
	constructor(renewed) {
		this.title = el("h2");
		this.facts = el("dl");
		this.drain = changeButton("Drain …", "operator", () => accept(this.row, renewed));
		this.reload = changeButton("Reload TLS …", "administrator", () => reload(this.row, renewed));
		this.node = el("article", el("div.heading", this.title, el("div.actions", this.drain, this.reload)), this.facts);
	}

	show(row) {
		this.row = row;
		renew(this.title, row.name, " ", el("small", row.open ? `${row.host}:${row.port}` : "closed"));
		this.drain.textContent = row.accepting ? "Drain …" : "Let in again …";
		this.reload.hidden = !row.tls;
		renew(this.facts, ...terms(facts(row)).childNodes);
	}
}

function facts(row) {
	const refused = Object.entries(row.refused ?? {}).filter(([, value]) => value);
	return [
		["Connections", link(at(["connections"], { listener: row.name }), `${count(row.connections)} of ${count(row.maxConnections)}`)],
		["Not logged in", count(row.notLoggedIn)],
		["New ones", row.accepting ? "are let in" : el("span.warn", "are refused")],
		["Refused so far", refused.length ? refused.map(([why, value]) => `${count(value)} ${why}`).join(", ") : "none"],
		...(row.tls ? certificate(row.tls) : [["TLS", "none"]]),
	];
}

function certificate(tls) {
	const tone = tls.daysLeft < 0 ? "bad" : tls.daysLeft < SOON ? "warn" : "good";
	return [
		["TLS", `${tls.mode}, ${tls.minimum} and newer`],
		["Certificate", visible(tls.subject)],
		["For", visible((tls.names ?? []).join(", "))],
		["From", tls.selfSigned ? "itself" : visible(tls.issuer)],
		["Ends", el(`span.${tone}`, `${day(tls.notAfter)}, in ${number(Math.floor(tls.daysLeft))} days`)],
		["File", tls.fileChanged ? el("span.warn", "is newer than what is shown to clients: reload it") : visible(tls.file)],
	];
}

function accept(row, done) {
	askForChange({
		title: row.accepting ? `Drain ${row.name}` : `Let clients in by ${row.name}`,
		verb: row.accepting ? "Drain" : "Let in",
		says: [row.accepting ? `No new connection is let in; the ${count(row.connections)} that are there stay.` : "New connections are let in again."],
		method: "PATCH",
		path: path("listeners", row.name),
		body: { accepting: !row.accepting },
		outcome: (told) => `${row.name} ${told.accepting ? "lets clients in" : "lets nobody in"}`,
		done,
	});
}

function reload(row, done) {
	askForChange({
		title: `Reload the certificate of ${row.name}`,
		verb: "Reload",
		says: ["Reads certificate and key again, for new connections. Those that are there stay; files that cannot be used change nothing."],
		path: path("listeners", row.name, "reload-tls"),
		outcome: (told) => `${row.name} shows a certificate until ${day(told.tls?.notAfter)}`,
		done,
	});
}
