// The run level: a ladder, with the plugins at the step where they are started.

import { ask } from "./api.js";
import { askForChange, changeButton, dangerButton } from "./dialog.js";
import { at, el, link, name, renew, say, visible } from "./dom.js";
import { plural } from "./format.js";
import { every } from "./live.js";

const SECONDS = 2;
const NAMES = { 0: "halted", 3: "standby", 6: "cleanup", 9: "running" };
const STEPS = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

/** Where a plugin listens, in words. */
export function portsOf(plugin) {
	return (plugin.ports ?? []).map((each) => `${each.host}:${each.port}`).join(", ");
}

export function show() {
	const state = el("p.subtitle", { role: "status" }, "Looking …");
	const ladder = el("ol.ladder");
	const others = el("div.panel");
	let level = null;
	let plugins = [];
	let overview = null;
	const actions = el(
		"div.actions",
		{ hidden: true },
		changeButton("Change the run level …", "administrator", () => change(level, plugins, overview, look)),
		dangerButton("Shut down …", "administrator", () => shutDown(overview)),
	);

	async function look() {
		const [told, found] = [await ask("run-level", { automatic: true }), await ask("plugins", { automatic: true })];
		level = told;
		plugins = found.items;
		actions.hidden = false;
		say(state, `${level.level}, ${level.name}${level.changing === undefined ? "" : `, on its way to ${level.changing}`}`);
		renew(ladder, STEPS.map((number) => step(number, level, plugins)));
		const never = plugins.filter((each) => each.startLevel === undefined);
		renew(others, never.length ? [el("h2", "Not started by any run level"), el("ul.chips", never.map(chip))] : null);
	}

	const end = every(SECONDS, look);
	return {
		title: "Run level",
		node: el("div", el("div.heading", el("div", el("h1", "Run level"), state), actions), ladder, others),
		stop: end,
		overview: (told) => (overview = told),
	};
}

function step(number, level, plugins) {
	const isHere = number === level.level;
	return el(
		`li${isHere ? ".here" : number < level.level ? ".reached" : ""}`,
		isHere ? { "aria-current": "step" } : null,
		el("b", String(number)),
		el("span", NAMES[number] ?? ""),
		el("ul.chips", plugins.filter((each) => each.startLevel === number).map(chip)),
		isHere ? el("small", level.changing === undefined ? "the broker is here" : `on its way to ${level.changing}`) : null,
	);
}

function chip(plugin) {
	return el("li", link(at(["run-level", plugin.id]), name(plugin.id)), " ", el(`small${plugin.state === "running" ? ".good" : ""}`, [plugin.state, visible(portsOf(plugin))].filter(Boolean).join(", ")));
}

function stopped(plugins, level, target) {
	return plugins.filter((each) => each.state === "running" && each.stopLevel !== undefined && each.stopLevel >= target && each.stopLevel < level);
}

function change(level, plugins, overview, done) {
	const targets = level.selectable.filter((each) => each > 0);
	const lower = targets.filter((each) => each < level.level).reverse();
	const ways = [
		...targets.filter((each) => each > level.level).reverse().map((each) => [String(each), `up to ${each}, ${NAMES[each]}`]),
		...lower.map((each) => [`${each},${level.level}`, `down to ${each}, and up to ${level.level} again`]),
		...lower.map((each) => [String(each), `down to ${each}, ${NAMES[each]}`]),
	];
	askForChange({
		title: "Change the run level",
		verb: "Change it",
		isDanger: true,
		says: [
			el("p", "Below 9 no client is served", overview && level.level >= 9 ? [": ", el("b", plural(overview.connections.open, "connection")), " would close"] : "", ". Persistent sessions and messages stay. This page goes on."),
			el("ul.stays", lower.map((each) => el("li", `Down to ${each} stops `, visible(stopped(plugins, level.level, each).map((one) => one.id).join(", ") || "nothing"), "."))),
		],
		fields: [{ key: "levels", label: "To", choices: ways }],
		make: ({ levels }) => ({ levels: levels.split(",").map(Number) }),
		method: "PUT",
		path: "run-level",
		outcome: (told) => `The run level changes from ${told.level}`,
		done,
	});
}

function shutDown(overview) {
	askForChange({
		title: "Shut the broker down",
		verb: "Shut it down",
		isDanger: true,
		says: ["No new connection is let in, and after the time the broker ends. Whatever started it may start it again; this page cannot."],
		fields: [{ key: "graceSeconds", label: "After", choices: [["30", "30 seconds"], ["0", "no time"], ["300", "5 minutes"]] }],
		make: ({ graceSeconds }) => ({ graceSeconds: Number(graceSeconds) }),
		typed: overview?.node ?? "shut down",
		path: "shutdown",
		outcome: () => "The broker ends",
	});
}
