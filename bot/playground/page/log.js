// The log: the messages of the chat that is open, as elements.

import {albumElement, dayOf, isMine, make, messageElement} from "./messages.js";

const $ = (id) => document.getElementById(id);
const messages = new Map();
const drawn = new Map(); // message id -> what stands for it in the log
const days = new Map();
let low = true; // whether the newest message was in sight before the window changed
let dayTimer = 0;
let acts = {};

// ``given`` is what ``messageElement`` asks for, but for ``now`` and ``jump``.
export function setUp(given) {
  acts = {...given, now: (message) => messages.get(message.message_id) ?? message, jump};
  $("down").addEventListener("click", scrollDown);
  $("scroll").addEventListener("scroll", () => { scrolled(); showDay(); });
  // A phone's keyboard or another width must not push the newest message out of sight.
  new ResizeObserver(() => { if (low) scrollDown(); scrolled(); }).observe($("scroll"));
}

function jump(id) {
  const element = $("log").querySelector(`[data-id="${Number(id)}"]`);
  element?.scrollIntoView({block: "center", behavior: "smooth"});
  element?.animate([{opacity: 0.4}, {opacity: 1}], 900);
}

// Shows another chat, from its beginning.
export function fill(list) {
  messages.clear();
  drawn.clear();
  days.clear();
  for (const message of list) messages.set(message.message_id, message);
  render();
  scrollDown();
}

export const put = (message) => messages.set(message.message_id, message);
export const drop = (id) => messages.delete(id);

// The person's last message that can be edited.
export const lastOwn = () => [...messages.values()].filter((one) => isMine(one) && one.text).sort((a, b) => b.message_id - a.message_id)[0];

// Messages that are shown together: an album's photos in one bubble, everything else alone.
function units() {
  const found = [];
  for (const message of [...messages.values()].sort((a, b) => a.message_id - b.message_id)) {
    const last = found.at(-1);
    const joins = message.photo && message.media_group_id && last?.[0].media_group_id === message.media_group_id;
    if (joins) last.push(message); else found.push([message]);
  }
  return found;
}

// An element is made once and kept for as long as nothing about its messages changes.
function unitElement(unit) {
  const old = drawn.get(unit[0].message_id);
  const replied = unit[0].reply_to_message && acts.now(unit[0].reply_to_message);
  const same = old?.unit.length === unit.length && unit.every((message, i) => message === old.unit[i]);
  if (same && old.replied === replied) return old.element;
  const element = unit.length === 1 ? messageElement(unit[0], acts) : albumElement(unit, acts);
  drawn.set(unit[0].message_id, {unit, replied, element});
  return element;
}

function render() {
  const items = [];
  let lastDay = "";
  for (const unit of units()) {
    if (dayOf(unit[0]) !== lastDay) items.push(dayElement(lastDay = dayOf(unit[0])));
    items.push(unitElement(unit));
  }
  patch($("log"), items);
  $("empty").hidden = messages.size > 0;
}

function dayElement(text) {
  if (!days.has(text)) days.set(text, make("li", "day", make("span", "", text)));
  return days.get(text);
}

// Makes the children of ``parent`` be ``items`` and touches only those that differ. What has the focus keeps it.
function patch(parent, items) {
  const focused = document.activeElement?.closest("[data-id]")?.dataset.id;
  items.forEach((item, i) => { if (parent.children[i] !== item) parent.insertBefore(item, parent.children[i] ?? null); });
  while (parent.children.length > items.length) parent.lastChild.remove();
  if (focused && document.activeElement === document.body) parent.querySelector(`[data-id="${focused}"] :is(button, a, [tabindex])`)?.focus();
}

const atBottom = () => $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 120;
const scrollDown = () => { $("scroll").scrollTop = $("scroll").scrollHeight; };

function scrolled() {
  low = atBottom();
  $("down").hidden = low;
  for (const day of $("log").querySelectorAll(".day")) {
    const below = day.nextElementSibling?.getBoundingClientRect().top ?? Infinity;
    day.classList.toggle("over", below < day.getBoundingClientRect().bottom);
  }
}

// A day that covers a message is shown only while the log is scrolled.
function showDay() {
  clearTimeout(dayTimer);
  $("scroll").classList.add("scrolling");
  dayTimer = setTimeout(() => $("scroll").classList.remove("scrolling"), 900);
}

export function redraw(mine) {
  const follow = mine || atBottom();
  render();
  if (follow) scrollDown();
  scrolled();
}
