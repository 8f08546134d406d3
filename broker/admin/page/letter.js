// One dead message.

import { ask, path, Refused } from "./api.js";
import { replay, shortName } from "./dead.js";
import { askForChange, changeButton } from "./dialog.js";
import { contentOf } from "./entries.js";
import { at, el, link, name, put, renew, visible } from "./dom.js";
import { bytes, clock, count } from "./format.js";
import { every } from "./live.js";
import { group } from "./session.js";

/** The page. */
export function show(place) {
  const id = place.segments[1];
  const address = path("dead-messages", id);
  const content = el("div.details");
  const below = el("div.message", { hidden: true });
  let row = null;
  const away = () => (location.hash = "#/dead");
  const actions = el(
    "div.actions",
    { hidden: true },
    changeButton("Show its content", "operator", read),
    changeButton("Send again …", "operator", () => replay({ ids: [id] }, "this message", away)),
    changeButton("Delete …", "administrator", remove, { isDanger: true }),
  );

  async function look() {
    try {
      row = await ask(`${address}?contentBytes=0`, { automatic: true });
      renew(content, tell(row));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      row = null;
      renew(content, el("div.empty", null, el("p", null, error.status === 404 ? "This message is not there: it was sent again or deleted, or it was never kept." : visible(error.message))));
    }
    actions.hidden = row === null;
  }

  async function read() {
    try {
      put(below, contentOf(await ask(`${address}?contentBytes=65536`)));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      put(below, el("p.error", null, visible(error.message)));
    }
    below.hidden = false;
  }

  function remove() {
    askForChange({
      title: "Delete a dead message",
      verb: "Delete",
      isDanger: true,
      says: el("p", null, "It is lost for good."),
      typed: id,
      method: "DELETE",
      path: address,
      outcome: () => "The message was deleted",
      done: away,
    });
  }

  const end = every(5, look);
  return {
    title: "Dead message",
    node: el("div.object", null, el("p.trail", null, link("#/dead", "Dead messages")), el("div.heading", null, el("h1", null, "Dead message"), actions), content, below),
    stop: end,
  };
}

function tell(row) {
  return [
    el("p.error", null, el("strong", null, visible(row.reason.code)), " ", el("bdi", null, visible(row.reason.text ?? ""))),
    el(
      "div.facts",
      null,
      group("Message", [
        ["Topic", row.oid ? link(at(["topics", row.oid]), name(row.oid)) : "addressed"],
        ["Receiver", name(shortName(row.receiver))],
        ["Sender", name(shortName(row.sender))],
        ["Size", bytes(row.sizeBytes)],
      ]),
      group("History", [
        ["Received", clock(row.receivedAt)],
        ["Died", clock(row.diedAt)],
        ["Sent again before", count(row.replays ?? 0)],
        ["Kept", row.volatile ? "its header only, until the broker stops" : "yes"],
      ]),
    ),
  ];
}
