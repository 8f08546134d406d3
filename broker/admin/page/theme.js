// Light or dark: as the system has it, until somebody chooses.

import { el } from "./dom.js";

const KEY = "theme";

/** The switch. */
export function themeSwitch() {
	const root = document.documentElement;
	const system = matchMedia("(prefers-color-scheme: dark)");
	const kept = localStorage.getItem(KEY);
	if (kept) root.dataset.theme = kept;
	const button = el("button.quiet", { type: "button", click: change });

	function isDark() {
		return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
	}

	function label() {
		button.textContent = isDark() ? "Light" : "Dark";
		button.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
	}

	function change() {
		root.dataset.theme = isDark() ? "light" : "dark";
		localStorage.setItem(KEY, root.dataset.theme);
		label();
	}

	system.addEventListener("change", label);
	label();
	return button;
}
