// One connection.

import { connectionActions } from "./actions.js";
import { ask, path, Refused } from "./api.js";
import { heldCell, sessionLink } from "./connections.js";
import { el, link, name, put, renew, visible } from "./dom.js";
import { ago, clock } from "./format.js";
import { every } from "./live.js";
import { group } from "./session.js";

/** The page. */
export function show(place) {
  const id = place.segments[1];
  const content = el("div.details");
  const heading = el("h1", null, `Connection ${visible(id)}`);
  let row = null;
  const actions = connectionActions(() => row, () => (location.hash = "#/connections"));
  actions.hidden = true;
  const end = every(1, async () => {
    try {
      row = await ask(path("connections", id), { automatic: true });
      put(heading, name(row.peer));
      renew(content, tell(row));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      row = null;
      put(content, el("div.empty", null, el("p", null, error.status === 404 ? "This connection is closed." : visible(error.message))));
    }
    actions.hidden = row === null;
  });
  return {
    title: `Connection ${id}`,
    node: el("div.object", null, el("p.trail", null, link("#/connections", "Connections")), el("div.heading", null, heading, actions), content),
    stop: end,
  };
}

function tell(row) {
  return el(
    "div.facts",
    null,
    group("Client", [
      ["Session", sessionLink(row)],
      ["State", row.state === "loggedIn" ? "logged in" : "not logged in"],
      ["Held back", row.heldBack ? heldCell(row) : "no"],
    ]),
    group("Connection", [
      ["Listener", row.listener],
      ["Opened", clock(row.openedAt), `${ago(row.openedAt)} ago`],
      ["Secured by", row.tls ? row.tls.version : "nothing", row.tls?.cipher],
      ...(row.tls ? [["Client certificate", row.tls.clientCertificate ? "yes" : "no"]] : []),
    ]),
  );
}
