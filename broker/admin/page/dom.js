// Makes elements. Texts become text nodes and nothing else, so that nothing a peer sends is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";
const LONGEST = 300;
const NOTHING = [null, undefined, false];
// Controls, bidirectional marks, what has no width, separators of lines, halves of surrogate pairs.
const UNSEEN =
	/[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** An element: `el("button.quiet", {type: "button", click: handler}, "Close")`, or `el("p", "text")`. A function is a listener. */
export function el(kind, ...given) {
	const [tag, ...classes] = kind.split(".");
	const made = document.createElement(tag);
	if (classes.length) made.className = classes.join(" ");
	return fill(made, given[0]?.constructor === Object ? given.shift() : {}, given);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
	return fill(document.createElementNS(SVG, tag), attributes, children);
}

function kept(children) {
	return children.flat(Infinity).filter((each) => !NOTHING.includes(each));
}

function fill(made, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") made.addEventListener(name, value);
		else if (value === true) made.setAttribute(name, "");
		else if (!NOTHING.includes(value)) made.setAttribute(name, value);
	}
	made.append(...kept(children));
	return made;
}

/** Put other children in the place of those that are there. */
export function put(parent, ...children) {
	parent.replaceChildren(...kept(children));
	return parent;
}

/** Set a text where it differs, so that a selection of the reader is kept. */
export function say(node, text) {
	if (node.textContent !== text) node.textContent = text;
	return node;
}

/** A text of a peer as it may be shown: what cannot be seen is written as an escape, and long ones are cut. */
export function visible(text, longest = LONGEST) {
	const seen = String(text).replace(UNSEEN, (unit) => `\\u{${unit.codePointAt(0).toString(16)}}`);
	return seen.length > longest ? `${seen.slice(0, longest)}…` : seen;
}

/** A name that a peer has chosen: visible, and without an effect on the direction of what is around it. */
export function name(text) {
	return el("bdi", visible(text));
}

/** What a field has in which names are typed, and no words. */
export const PLAIN = { spellcheck: "false", autocomplete: "off" };

/** Terms, each with its value. */
export function terms(rows) {
	return el("dl", rows.map(([term, value]) => el("div", el("dt", term), el("dd", value))));
}

/** A link into the console. */
export function link(to, ...children) {
	return el("a", { href: to }, ...children);
}

/** The address of a place: `at(["sessions", "joe", "1"], {tab: "entries"})`. */
export function at(segments, query = {}) {
	const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
	const search = new URLSearchParams(given).toString();
	return `#/${segments.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

/** Make what is shown like what it should be, and leave every node that may stay: a focus or a selection in it is kept. */
export function renew(parent, ...children) {
	const nodes = kept(children).map((each) => (each instanceof Node ? each : document.createTextNode(each)));
	nodes.forEach((node, index) => {
		const old = parent.childNodes[index];
		if (!old) parent.append(node);
		else if (old.nodeName !== node.nodeName) old.replaceWith(node);
		else if (node.nodeType === Node.TEXT_NODE) {
			if (old.data !== node.data) old.data = node.data;
		} else {
			for (const { name: key } of [...old.attributes]) if (!node.hasAttribute(key)) old.removeAttribute(key);
			for (const { name: key, value } of node.attributes) if (old.getAttribute(key) !== value) old.setAttribute(key, value);
			renew(old, ...node.childNodes);
		}
	});
	while (parent.childNodes.length > nodes.length) parent.lastChild.remove();
	return parent;
}
