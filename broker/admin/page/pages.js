// The pages, in the order of the menu: what leads to each, by address and by key.

import * as account from "./account.js";
import * as accounts from "./accounts.js";
import * as audit from "./audit.js";
import * as backups from "./backups.js";
import * as configuration from "./configuration.js";
import * as connection from "./connection.js";
import * as connections from "./connections.js";
import * as dead from "./dead.js";
import * as definitions from "./definitions.js";
import * as diagnose from "./diagnose.js";
import * as events from "./events.js";
import * as explain from "./explain.js";
import * as letter from "./letter.js";
import * as listeners from "./listeners.js";
import * as operations from "./operations.js";
import * as overview from "./overview.js";
import * as plugin from "./plugin.js";
import * as queue from "./queue.js";
import * as queues from "./queues.js";
import * as runLevel from "./runlevel.js";
import * as session from "./session.js";
import * as sessions from "./sessions.js";
import * as subscriptions from "./subscriptions.js";
import * as tail from "./tail.js";
import * as tokens from "./tokens.js";
import * as topic from "./topic.js";
import * as topics from "./topics.js";

/** The menu: titles, each with its pages. */
export const MENU = [
	["", [{ segments: ["overview"], page: overview, title: "Overview", key: "o" }]],
	[
		"Messages",
		[
			{ segments: ["sessions"], page: sessions, title: "Sessions", key: "s" },
			{ segments: ["queues"], page: queues, title: "Queues", key: "q" },
			{ segments: ["topics"], page: topics, title: "Topics", key: "t" },
			{ segments: ["subscriptions"], page: subscriptions, title: "Subscriptions", key: "b" },
			{ segments: ["dead"], page: dead, title: "Dead messages", key: "d" },
		],
	],
	[
		"Investigate",
		[
			{ segments: ["diagnose"], page: diagnose, title: "Diagnose", key: "i" },
			{ segments: ["events"], page: events, title: "Events", key: "e" },
			{ segments: ["tail"], page: tail, title: "Tail", key: "f" },
			{ segments: ["explain"], page: explain, title: "Explain", key: "x" },
			{ segments: ["audit"], page: audit, title: "Audit", key: "a" },
			{ segments: ["operations"], page: operations, title: "Operations", key: "w" },
		],
	],
	[
		"Operate",
		[
			{ segments: ["connections"], page: connections, title: "Connections", key: "c" },
			{ segments: ["listeners"], page: listeners, title: "Listeners", key: "l" },
			{ segments: ["run-level"], page: runLevel, title: "Run level", key: "r" },
			{ segments: ["configuration"], page: configuration, title: "Configuration", key: "p" },
			{ segments: ["backups"], page: backups, title: "Backups", key: "y" },
			{ segments: ["definitions"], page: definitions, title: "Definitions", key: "n" },
			{ segments: ["accounts"], page: accounts, title: "Accounts", key: "u" },
			{ segments: ["tokens"], page: tokens, title: "Tokens", key: "k" },
		],
	],
];

/** Those of the menu, in one list. */
export const LISTED = MENU.flatMap(([, pages]) => pages);

const PAGES = [
	...LISTED,
	{ segments: ["sessions", null, null], page: session },
	{ segments: ["queues", null, null], page: queue },
	{ segments: ["topics", null], page: topic },
	{ segments: ["connections", null], page: connection },
	{ segments: ["dead", null], page: letter },
	{ segments: ["accounts", null], page: account },
	{ segments: ["run-level", null], page: plugin },
];

/** The page of a place; none where there is no such page. */
export function pageOf({ segments }) {
	return PAGES.find(
		(each) => each.segments.length === segments.length && each.segments.every((own, index) => own === null || own === segments[index]),
	);
}
