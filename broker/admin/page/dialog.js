// Changes: what will happen is said before, in numbers; what is lost wants a name typed.

import { change, may, Refused, Unreachable } from "./api.js";
import { el, PLAIN, put, say, visible } from "./dom.js";

const SHOWN = 5000; // milliseconds for which an outcome is shown
const FOR = { operator: "Only the roles operator and administrator may do this.", administrator: "Only administrators may do this." };

/** A button for a change; whoever may not make it sees it, and why not. */
export function changeButton(label, role, open, kind = "button") {
	const allowed = may(role);
	return el(kind, { type: "button", disabled: !allowed, title: allowed ? null : FOR[role], click: open }, label);
}

/** The same, where something is lost by it. */
export function dangerButton(label, role, open) {
	return changeButton(label, role, open, "button.danger");
}

/** The command that does the same: `broker api POST /sessions/joe/1/end '{"queue":"dead"}'`. */
function commandOf(method, path, body) {
	const given = body && Object.keys(body).length ? ` ${quoted(JSON.stringify(body))}` : "";
	return `broker api ${method} ${quoted(`/${path}`)}${given}`;
}

function quoted(text) {
	return /^[\w./~%@:+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Ask before a change, and make it.
 *
 * `title` and `verb` say what it is; `says` is what will happen; `fields` are `{key, label, choices}` of its body, or
 * `{key, label, type}` for what is typed;
 * `typed` is a name that must be typed where something is lost. `method` and `path` are those of the API; `outcome`
 * makes words of the answer, and `done` is called with it.
 * `command` is the command that does the same, where it is another than that of any request. `path` may be made of what
 * is typed, `make` makes the body of it, and `role` is who may do this, where it is shown to others. `dry` makes words
 * of what a dry run tells: that is asked first, and the change is made by the second press of the button. `headers` are
 * sent with it.
 */
export function askForChange({ title, verb, says, fields = [], typed, isDanger, method = "POST", path, body = {}, make, role, command, dry, headers, outcome, done }) {
	const inputs = fields.map(({ key, label, choices, type = "text", isOptional = false }) => {
		const input = choices ? el("select", { change: follow }) : el("input", { type, required: !isOptional, autocomplete: type === "password" ? "new-password" : "off", spellcheck: "false", input: follow });
		if (choices) input.append(...choices.map(([value, words]) => new Option(words, value)));
		return { key, input, node: el("label", el("span", label), input) };
	});
	const reason = el("input", { maxlength: "200", autocomplete: "off", input: follow });
	const proof = typed ? el("input", { ...PLAIN, input: follow }) : null;
	const submit = el(`button${isDanger ? ".danger" : ".primary"}`, { type: "submit" }, verb);
	const error = el("p.error", { role: "alert" });
	const rehearsed = el("p.rehearsed", { role: "status" });
	let seen = ""; // the body whose dry run is shown
	const code = el("code");
	const dialog = el(
		"dialog.change",
		{ "aria-labelledby": "change-title", close: () => dialog.remove() },
		el(
			"form",
			{ submit: send },
			el("h2", { id: "change-title" }, visible(title)),
			el("div.says", Array.isArray(says) && !says.some((each) => each?.nodeName === "P") ? el("p", says) : says),
			inputs.map((each) => each.node),
			role && !may(role) ? el("p.hint", FOR[role]) : null,
			proof ? el("label", el("span", "To confirm, type ", el("b", el("bdi", visible(typed)))), proof) : null,
			el("label", el("span", "Reason, for the log and the audit"), reason),
			rehearsed,
			error,
			el("div.buttons", el("button", { type: "button", click: () => dialog.close() }, "Cancel"), submit),
			el("div.command", el("span", "The same as a command"), copier("quiet", code), el("pre", { tabindex: "0" }, code)),
		),
	);

	function values() {
		return Object.fromEntries(inputs.map((each) => [each.key, each.input.value]));
	}

	function wanted() {
		const given = { ...body, ...(make ? make(values()) : Object.fromEntries(Object.entries(values()).map(([key, value]) => [key, valueOf(value)]))) };
		return reason.value ? { ...given, reason: reason.value } : given;
	}

	function address() {
		const query = method === "DELETE" ? new URLSearchParams(wanted()).toString() : "";
		const own = typeof path === "function" ? path(values()) : path;
		return query ? `${own}?${query}` : own;
	}

	function follow() {
		submit.disabled = (proof !== null && ![typed, visible(typed)].includes(proof.value)) || (role !== undefined && !may(role));
		const isDry = dry && seen !== JSON.stringify(wanted());
		if (isDry) put(rehearsed);
		say(submit, isDry ? "See what it would do" : verb);
		code.textContent = command ?? commandOf(method, address(), method === "DELETE" ? undefined : wanted());
	}

	async function send(event) {
		event.preventDefault();
		submit.disabled = true;
		put(error);
		try {
			const own = wanted();
			if (dry && seen !== JSON.stringify(own)) {
				const words = dry(await change(address(), method, { ...own, dryRun: true }));
				seen = JSON.stringify(own);
				follow();
				put(rehearsed, words);
				return;
			}
			const told = await change(address(), method, method === "DELETE" ? undefined : own, headers);
			dialog.close();
			toast(outcome ? outcome(told) : `${title}: done`);
			done?.(told);
		} catch (problem) {
			if (!(problem instanceof Refused || problem instanceof Unreachable)) throw problem;
			put(error, visible(problem.message));
			submit.disabled = false;
		}
	}

	follow();
	document.body.append(dialog);
	dialog.showModal();
	(inputs.find((each) => each.input.nodeName === "INPUT")?.input ?? proof ?? reason).focus();
}

function copier(kind, code) {
	const copy = el(`button.${kind}`, { type: "button", click: () => navigator.clipboard.writeText(code.textContent).then(() => say(copy, "Copied")) }, "Copy");
	return copy;
}

function valueOf(text) {
	return text === "true" ? true : text === "false" ? false : text;
}

const outcomes = el("p.toast", { role: "status" });
let shownUntil = 0;

/** Say how a change went; the place for that is always there, so that it is read out, too. */
export function toast(words) {
	if (!outcomes.isConnected) document.body.append(outcomes);
	put(outcomes, visible(words));
	clearTimeout(shownUntil);
	shownUntil = setTimeout(() => put(outcomes), SHOWN);
}

/** Show a text that is not told again. */
export function showOnce(title, says, text) {
	const code = el("code", text);
	const copy = copier("primary", code);
	const dialog = el(
		"dialog.change",
		{ "aria-labelledby": "once-title", close: () => dialog.remove(), cancel: (event) => event.preventDefault() },
		el("form", { method: "dialog" }, el("h2", { id: "once-title" }, visible(title)), el("p", says), el("pre.once", { tabindex: "0" }, code), el("div.buttons", copy, el("button", { type: "submit" }, "I have it"))),
	);

	document.body.append(dialog);
	dialog.showModal();
	copy.focus();
}
