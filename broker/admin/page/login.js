// The form over the view, when somebody has to log in. The view stays as it is, and goes on afterwards.

import { logIn, loginNeeded, Refused, state, watch } from "./api.js";
import { el, put, visible } from "./dom.js";

/** The form; it shows and hides by itself. */
export function loginForm() {
	const user = el("input", { name: "user", autocomplete: "username", required: true, autocapitalize: "none", spellcheck: "false" });
	const password = el("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
	const submit = el("button.primary", { type: "submit" }, "Log in");
	const error = el("p.error", { role: "alert" });
	const form = el(
		"form",
		{ submit: enter },
		el("img", { src: "./page/icon.svg", alt: "", width: 36, height: 36 }),
		el("h2", { id: "login-title" }, "Log in to the broker"),
		el("label", el("span", "Login name"), user),
		el("label", el("span", "Password"), password),
		error,
		submit,
		el("p.hint", "An account gets a role by ", el("code", "broker user role NAME operator"), ", and another password by ", el("code", "broker user passwd NAME"), "."),
	);
	const dialog = el("dialog.login", { "aria-labelledby": "login-title", cancel: (event) => event.preventDefault() }, form);

	async function enter(event) {
		event.preventDefault();
		submit.disabled = true;
		put(error);
		try {
			await logIn(user.value, password.value);
		} catch (problem) {
			put(error, problem instanceof Refused ? visible(problem.message) : "The broker does not answer. Is it running?");
			password.select();
		} finally {
			password.value = "";
			submit.disabled = false;
		}
	}

	function follow() {
		if (loginNeeded() && !dialog.open) {
			dialog.showModal();
			user.focus();
		} else if (!loginNeeded() && dialog.open) dialog.close();
	}

	watch(follow);
	return { node: dialog, follow };
}

/** What somebody is told whose account has no role. */
export function noRole() {
	return el(
		"div.empty",
		el("h1", "Your account has no role"),
		el("p", "Whoever runs the broker can give it one, on its machine:"),
		el("pre", el("code", `broker user role ${visible(state.user)} monitoring`)),
	);
}
