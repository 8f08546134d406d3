// Charts of what the broker keeps of its past, as SVG. The last values are said in words, too.

import { el, say, svg } from "./dom.js";
import { duration, hour } from "./format.js";

const WIDTH = 600;
const HEIGHT = 120;

/** A chart of one or more series: `{title, format, series: [{name, label}]}`, in the order of their colours. */
export class Chart {
	constructor({ title, format, series, isSparse = false }) {
		this.format = format;
		this.series = series;
		this.isSparse = isSparse; // a mean, of which there is none where nothing was counted: points are joined
		this.title = title;
		this.lines = series.map((_, index) => svg("path", { class: `line series${index + 1}` }));
		this.areas = series.map((_, index) => svg("path", { class: `area series${index + 1}` }));
		this.cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
		const grid = [0, 0.5, 1].map((part) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: part * HEIGHT, y2: part * HEIGHT }));
		this.drawing = svg(
			"svg",
			{
				viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
				preserveAspectRatio: "none",
				role: "img",
				"aria-label": title,
				pointermove: (event) => this.point(event),
				pointerleave: () => this.unpoint(),
			},
			...grid,
			...this.areas,
			...this.lines,
			this.cursor,
		);
		this.scale = [0, 1, 2].map(() => el("span"));
		this.values = series.map(() => el("b"));
		this.times = [0, 1, 2].map(() => el("span"));
		this.when = el("span.when");
		this.node = el(
			"figure.chart",
			el("figcaption", el("h3", title), this.when),
			el("p.legend", series.map((each, index) => el("span", this.values[index], el(`i.series${index + 1}`), each.label))),
			el("div.plot", this.drawing, el("div.scale", { "aria-hidden": "true" }, this.scale)),
			el("div.times", { "aria-hidden": "true" }, this.times),
		);
	}

	/** Draw: what `/history` has answered. */
	show(history) {
		this.history = history;
		this.shown = this.series.map((each) => history.series[each.name] ?? []);
		const top = ceiling(Math.max(0, ...this.shown.flat().filter((value) => value !== null)));
		const points = Math.max(2, this.shown[0].length);
		this.shown.forEach((values, index) => {
			const parts = this.isSparse ? [pieces(values, points, top).flat()] : pieces(values, points, top);
			this.lines[index].setAttribute("d", parts.map((part) => drawn(part)).join(""));
			this.areas[index].setAttribute("d", parts.map(filled).join(""));
		});
		say(this.scale[0], this.format(top));
		say(this.scale[1], this.format(top / 2));
		say(this.scale[2], "0");
		const end = Date.parse(history.asOf);
		const span = points * history.stepSeconds * 1000;
		[end - span, end - span / 2].forEach((moment, index) => say(this.times[index], hour(moment)));
		say(this.times[2], "now");
		if (!this.isPointed) this.last();
	}

	last() {
		const now = this.shown.map((values) => values.findLast((value) => value !== null));
		this.tell(now);
		say(this.when, "");
		const words = now.map((value, index) => `${this.series[index].label} ${this.said(value)}`);
		const span = duration(this.shown[0].length * this.history.stepSeconds);
		this.drawing.setAttribute("aria-label", `${this.title}, the last ${span}; now ${words.join(", ")}`);
	}

	tell(values) {
		values.forEach((value, index) => say(this.values[index], this.said(value)));
	}

	said(value) {
		return value === undefined || value === null ? "–" : this.format(value);
	}

	point(event) {
		if (!this.history) return;
		const box = this.drawing.getBoundingClientRect();
		const length = this.shown[0].length;
		const index = Math.max(0, Math.min(length - 1, Math.round(((event.clientX - box.left) / box.width) * (length - 1))));
		this.isPointed = true;
		const x = (index / Math.max(1, length - 1)) * WIDTH;
		this.cursor.setAttribute("x1", x);
		this.cursor.setAttribute("x2", x);
		this.cursor.setAttribute("visibility", "visible");
		this.tell(this.shown.map((values) => values[index]));
		say(this.when, hour(Date.parse(this.history.asOf) - (length - 1 - index) * this.history.stepSeconds * 1000, true));
	}

	unpoint() {
		this.isPointed = false;
		this.cursor.setAttribute("visibility", "hidden");
		if (this.history) this.last();
	}
}

function pieces(values, points, top) {
	const found = [];
	let part = [];
	values.forEach((value, index) => {
		if (value === null) {
			if (part.length) found.push(part);
			part = [];
		} else {
			part.push([round((index / (points - 1)) * WIDTH), round(HEIGHT - (value / top) * (HEIGHT - 4) - 2)]);
		}
	});
	if (part.length) found.push(part);
	return found.map((each) => (each.length === 1 ? [each[0], [each[0][0] + 1, each[0][1]]] : each));
}

function drawn(part) {
	return part.length ? `M${part.map((each) => each.join(",")).join("L")}` : "";
}

function filled(part) {
	if (!part.length) return "";
	const [first, last] = [part[0], part[part.length - 1]];
	return `M${first[0]},${HEIGHT}L${part.map((each) => each.join(",")).join("L")}L${last[0]},${HEIGHT}Z`;
}

function ceiling(value) {
	if (value <= 0) return 1;
	const size = 10 ** Math.floor(Math.log10(value));
	return [1, 2, 4, 5, 10].map((each) => each * size).find((each) => each >= value);
}

function round(value) {
	return Math.round(value * 10) / 10;
}
