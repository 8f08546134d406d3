// What has happened lately, and what happens now.

import { ask, Refused } from "./api.js";
import { at, el, link, name, PLAIN, visible } from "./dom.js";
import { Feed } from "./feed.js";
import { clock } from "./format.js";
import { after } from "./live.js";
import { follow } from "./stream.js";
import { topicAt } from "./topics.js";

const FIRST = 200; // events of the past
const PAUSE = 400; // milliseconds without a key before what was typed is asked for
const KINDS = ["client/*", "topic/*", "logging/*", "service/*", "store/*", "alarm/*", "admin/*"];
const BAD = /^logging\/severe|\/(failing|reloadFailed|failed)$/;

const SESSION = /^client\/(.+)\/session\/(-?\d+)\/event\/[^/]+$/;
const TOPIC = /^topic\/(.+)\/event\/[^/]+$/;
const LOG = /^logging\/(\w+)\/(.+)$/;

/** Of what an event is, as a link where there is a page for that. */
function subject({ type }) {
	const session = SESSION.exec(type);
	if (session) return link(at(["sessions", session[1], session[2]]), name(`${session[1]}/${session[2]}`));
	const topic = TOPIC.exec(type);
	if (topic) return link(topicAt({ oid: topic[1] }), name(topic[1]));
	return name(LOG.exec(type)?.[2] ?? type.split("/event/")[0]);
}

function what({ type }) {
	const short = LOG.exec(type)?.[1] ?? type.slice(type.lastIndexOf("/") + 1);
	return el(`span${BAD.test(type) ? ".bad" : ""}`, { title: visible(type) }, visible(short));
}

function fieldsOf({ fields }) {
	return name(Object.keys(fields).length === 1 && fields.text ? fields.text : Object.entries(fields).map(([key, value]) => `${key}: ${value}`).join(", "));
}

const COLUMNS = [
	{ title: "When", cell: (row) => clock(row.at) },
	{ title: "What", cell: what },
	{ title: "Of", cell: subject },
	{ title: "With", cell: fieldsOf },
];

export function show(place) {
	const feed = new Feed({
		label: "Events",
		noun: ["event"],
		columns: COLUMNS,
		empty: el("p", "Nothing of this has happened since the broker began. What happens next is shown here, as it happens."),
	});
	let last = 0;
	let stop = () => undefined;
	let isOver = false;

	const kinds = el("datalist", { id: "kinds" }, KINDS.map((each) => new Option(each)));
	const type = el("input", { type: "search", list: "kinds", "aria-label": "Type", placeholder: "Type: client/joe/*", ...PLAIN, input: after(PAUSE, () => change(type.value.trim())) });

	function change(wanted) {
		place.query = wanted ? { type: wanted } : {};
		history.replaceState(null, "", at(place.segments, place.query));
		begin();
	}

	async function begin() {
		stop();
		const wanted = place.query.type ?? "";
		if (document.activeElement !== type) type.value = wanted;
		feed.clear();
		last = 0;
		const isStill = () => !isOver && (place.query.type ?? "") === wanted;
		const selected = wanted ? { type: wanted } : {};
		try {
			const told = await ask(`events?${new URLSearchParams({ ...selected, limit: FIRST })}`);
			if (!isStill()) return;
			for (const row of told.items.reverse()) take("event", row);
			feed.tell("following");
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			if (isStill()) feed.tell(visible(error.message));
			return;
		}
		stop = follow(
			() => `events?${new URLSearchParams({ ...selected, follow: "true", after: last })}`,
			take,
			(error) => feed.tell(visible(error.message)),
		);
	}

	function take(event, row) {
		if (event === "reset") feed.clear();
		if (event === "skipped") feed.tell(`${row.count} were too many and were left out`);
		if (event !== "event") return;
		last = Math.max(last, Number(row.id));
		feed.add(row);
	}

	begin();
	return {
		title: "Events",
		node: el("div.list", el("div.heading", el("h1", "Events"), el("form.filters", { role: "search", submit: (event) => event.preventDefault() }, type, kinds)), feed.node),
		stop: () => {
			isOver = true;
			stop();
		},
	};
}
