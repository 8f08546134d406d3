// Numbers, sizes and times as people read them. The reader's own language decides how digits are grouped.

const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const ONE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const NONE = "–";

/** A whole number. */
export function count(value) {
	return value === undefined || value === null ? NONE : WHOLE.format(value);
}

/** A number that may have a part after the point. */
export function number(value) {
	if (value === undefined || value === null) return NONE;
	return Math.abs(value) >= 100 ? WHOLE.format(value) : ONE.format(value);
}

/** A size. */
export function bytes(value) {
	if (value === undefined || value === null) return NONE;
	let size = value;
	for (const unit of ["B", "kB", "MB", "GB"]) {
		if (size < 1000) return `${unit === "B" ? WHOLE.format(size) : number(size)}\u00a0${unit}`;
		size /= 1000;
	}
	return `${number(size)}\u00a0TB`;
}

/** A part of a whole. */
export function percent(ratio) {
	return ratio === undefined || ratio === null ? NONE : `${number(ratio * 100)}\u00a0%`;
}

/** A time span in its two largest units. */
export function duration(seconds) {
	if (seconds === undefined || seconds === null) return NONE;
	if (seconds < 1) return `${number(seconds * 1000)}\u00a0ms`;
	if (seconds < 10) return `${ONE.format(seconds)}\u00a0s`;
	const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
	const first = units.findIndex(([, size]) => seconds >= size);
	const [unit, size] = units[first];
	const parts = [`${Math.floor(seconds / size)}\u00a0${unit}`];
	const next = units[first + 1];
	if (next && first < 3) {
		const rest = Math.floor((seconds % size) / next[1]);
		if (rest) parts.push(`${rest}\u00a0${next[0]}`);
	}
	return parts.join(" ");
}

/** How long ago a moment was. */
export function ago(moment, now = Date.now()) {
	return moment ? duration(Math.max(0, (now - Date.parse(moment)) / 1000)) : NONE;
}

/** How long it is until a moment. */
export function until(moment, now = Date.now()) {
	return moment ? duration(Math.max(0, (Date.parse(moment) - now) / 1000)) : NONE;
}

/** The time of day, with the day where it is not today. */
export function clock(moment) {
	if (!moment) return NONE;
	const when = new Date(moment);
	const time = CLOCK.format(when);
	return when.toDateString() === new Date().toDateString() ? time : `${DAY.format(when)}, ${time}`;
}

/** Hours and minutes, or with seconds. */
export function hour(moment, seconds = false) {
	return (seconds ? CLOCK : MINUTE).format(new Date(moment));
}

/** The day. */
export function day(moment) {
	return moment ? DAY.format(new Date(moment)) : NONE;
}

/** `1 entry`, `2 entries`. */
export function plural(value, one, many = `${one}s`) {
	return `${count(value)}\u00a0${value === 1 ? one : many}`;
}

/** `joe/1` of `/node/heron/client/joe/1`. */
export function shortName(absolute) {
	return (absolute ?? "").replace(/^\/node\/[^/]+\/client\//, "");
}
