// The line to write in: Enter sends, "/" offers the bot's commands, a message may be replied to.

import {make, summary} from "./messages.js";

const $ = (id) => document.getElementById(id);
let commands = [];
let replyTo = null;
let picked = 0;

// ``send`` gets (text, id of the message replied to or 0).
export function setUp(send) {
  const go = () => {
    const text = $("text").value.trim();
    if (!text) return;
    $("text").value = "";
    grow();
    send(text, takeReply());
  };
  $("line").addEventListener("submit", (event) => { event.preventDefault(); go(); });
  $("text").addEventListener("input", () => { grow(); offer($("text").value); });
  $("text").addEventListener("keydown", (event) => keydown(event, go));
  document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".composer")) hide(); });
  $("commands").addEventListener("click", () => {
    $("text").focus();
    if ($("menu").hidden) offer("/"); else hide();
  });
  $("replying-end").addEventListener("click", () => takeReply());
  run = send;
}

let run = () => {};
export const setCommands = (list) => { commands = list; $("commands").hidden = !list.length; };
export const hasCommands = () => commands.length > 0;

export function reply(message) {
  replyTo = message.message_id;
  $("replying-name").textContent = message.from.first_name;
  $("replying-text").textContent = summary(message);
  $("replying").hidden = false;
  focus();
}

// Ready to write at the end of the line. A dialog that closes gives the focus back but not the caret, and
// without a caret what is typed goes nowhere.
export function focus() {
  $("text").focus();
  $("text").setSelectionRange($("text").value.length, $("text").value.length);
}

export function takeReply() {
  const id = replyTo ?? 0;
  replyTo = null;
  $("replying").hidden = true;
  return id;
}

function keydown(event, go) {
  const open = !$("menu").hidden;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    const exact = $("text").value.trim().includes(" ");
    if (open && !exact) choose(matching($("text").value)[picked]); else go();
  } else if (open && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    const count = $("menu").children.length;
    picked = (picked + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
    mark();
  } else if (open && event.key === "Tab") {
    event.preventDefault();
    complete(matching($("text").value)[picked]);
  } else if (event.key === "Escape") {
    if (open) hide(); else takeReply();
  }
}

const matching = (text) => {
  const start = text.trim().toLowerCase() || "/";
  return commands.filter(({command}) => `/${command}`.startsWith(start));
};

function offer(text) {
  const found = text.startsWith("/") ? matching(text) : [];
  picked = 0;
  $("menu").replaceChildren(...found.map((one) => {
    const item = make("li", "", make("b", "", `/${one.command}`), make("span", "", one.description));
    item.role = "option";
    item.addEventListener("mousedown", (event) => { event.preventDefault(); choose(one); });
    return item;
  }));
  $("menu").hidden = !found.length;
  mark();
}

function mark() {
  [...$("menu").children].forEach((item, i) => item.setAttribute("aria-selected", String(i === picked)));
  $("menu").children[picked]?.scrollIntoView({block: "nearest"});
}

function choose(one) {
  hide();
  $("text").value = "";
  grow();
  run(`/${one.command}`, takeReply());
}

function complete(one) {
  hide();
  $("text").value = `/${one.command} `;
}

export const hide = () => { $("menu").hidden = true; };

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = `${Math.min($("text").scrollHeight, 200)}px`;
}
