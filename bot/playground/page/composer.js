// The line to write in: Enter sends, "/" offers the bot's commands, a message may be replied to or edited.

import * as inline from "./inline.js";
import {make, summary} from "./messages.js";
import {t} from "./words.js";

const $ = (id) => document.getElementById(id);
let commands = [];
let replyTo = null;
let editing = null;
let acts = {};
let picked = 0;

// ``acts``: send(text, id of the message replied to or 0), edit(id, text), and lastOwn(), the message that ArrowUp edits.
export function setUp(given) {
  acts = given;
  const go = () => {
    const text = $("text").value.trim();
    if (!text) return;
    const changed = editing;
    clear();
    if (changed) { takeReply(); acts.edit(changed, text); } else acts.send(text, takeReply());
  };
  $("line").addEventListener("submit", (event) => { event.preventDefault(); go(); });
  $("text").addEventListener("input", () => { grow(); offer($("text").value); inline.typed($("text").value); });
  $("text").addEventListener("keydown", (event) => keydown(event, go));
  document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".composer")) { hide(); inline.hide(); } });
  $("commands").addEventListener("click", () => {
    $("text").focus();
    if ($("menu").hidden) offer("/"); else hide();
  });
  $("replying-end").addEventListener("click", cancel);
  $("menu").addEventListener("keydown", menuKeydown);
}

export const setCommands = (list) => { commands = list; $("commands").hidden = !list.length; };
export const hasCommands = () => commands.length > 0;

export function reply(message) {
  cancel();
  replyTo = message.message_id;
  about(message.from.first_name, message);
}

export function edit(message) {
  cancel();
  editing = message.message_id;
  fill(message.text ?? message.caption ?? "");
  about(t("editing"), message);
}

function about(title, message) {
  $("replying-name").textContent = title;
  $("replying-text").textContent = summary(message);
  $("replying").hidden = false;
  focus();
}

// Neither reply nor edit.
export function cancel() {
  if (editing) clear();
  takeReply();
}

export function fill(text) {
  $("text").value = text;
  grow();
  inline.typed(text);
  focus();
}

export function clear() {
  $("text").value = "";
  grow();
}

// Ready to write at the end of the line. A dialog that closes gives the focus back but not the caret, and
// without a caret what is typed goes nowhere.
export function focus() {
  $("text").focus();
  $("text").setSelectionRange($("text").value.length, $("text").value.length);
}

export function takeReply() {
  const id = replyTo ?? 0;
  replyTo = editing = null;
  $("replying").hidden = true;
  return id;
}

function keydown(event, go) {
  if (inline.keydown(event)) return;
  const open = !$("menu").hidden;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    const exact = $("text").value.trim().includes(" ");
    if (open && !exact) choose(matching($("text").value)[picked]); else go();
  } else if (open && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    step(event);
  } else if (open && event.key === "Tab" && !event.shiftKey) {
    event.preventDefault();
    complete(matching($("text").value)[picked]);
  } else if (event.key === "Escape") {
    if (open) hide(); else cancel();
  } else if (event.key === "ArrowUp" && !$("text").value) {
    const last = acts.lastOwn();
    if (last) { event.preventDefault(); edit(last); }
  }
}

// The menu itself has the focus only if Shift and Tab have led there.
function menuKeydown(event) {
  if (["ArrowDown", "ArrowUp"].includes(event.key)) { step(event); $("menu").children[picked].focus(); }
  else if (event.key === "Enter") { event.preventDefault(); choose(matching($("text").value)[picked]); $("text").focus(); }
  else if (event.key === "Escape") { hide(); $("text").focus(); }
}

function step(event) {
  event.preventDefault();
  const count = $("menu").children.length;
  picked = (picked + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
  mark();
}

const matching = (text) => {
  const start = text.trim().toLowerCase() || "/";
  return commands.filter(({command}) => `/${command}`.startsWith(start));
};

function offer(text) {
  const found = text.startsWith("/") && !editing ? matching(text) : [];
  picked = 0;
  $("menu").replaceChildren(...found.map((one) => {
    const item = make("li", "", make("b", "", `/${one.command}`), make("span", "", one.description));
    item.role = "option";
    item.id = `command-${one.command}`;
    item.addEventListener("mousedown", (event) => { event.preventDefault(); choose(one); });
    return item;
  }));
  $("menu").hidden = !found.length;
  mark();
}

function mark() {
  [...$("menu").children].forEach((item, i) => { item.setAttribute("aria-selected", String(i === picked)); item.tabIndex = i === picked ? 0 : -1; });
  const item = $("menu").children[picked];
  item?.scrollIntoView({block: "nearest"});
  if (item) $("text").setAttribute("aria-activedescendant", item.id); else hide();
}

function choose(one) {
  hide();
  clear();
  acts.send(`/${one.command}`, takeReply());
}

function complete(one) {
  hide();
  $("text").value = `/${one.command} `;
}

export function hide() {
  $("menu").hidden = true;
  $("text").removeAttribute("aria-activedescendant");
}

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = `${Math.min($("text").scrollHeight, 200)}px`;
}
