// Names as the broker writes them, and as people do.

/** `joe/1` of `/node/heron/client/joe/1`. */
export function shortName(absolute) {
	return (absolute ?? "").replace(/^\/node\/[^/]+\/client\//, "");
}
