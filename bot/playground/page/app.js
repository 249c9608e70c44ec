// The page: who is chatting, what is in the chat, and everything that happens in it.

import * as attach from "./attach.js";
import * as composer from "./composer.js";
import {ChatError, get, post} from "./http.js";
import {albumElement, dayOf, make, messageElement} from "./messages.js";
import {setUpPanel, showPacks} from "./packs.js";

const $ = (id) => document.getElementById(id);
const STATUS = {
  typing: "typing…", upload_photo: "sending a photo…", upload_document: "sending a file…",
  choose_sticker: "choosing a sticker…",
};
const NEW = "new";
let person = null;
let language = "";
let visit = 0; // counts changes of person, so that an old event loop knows that it is over
let statusTimer = 0;
let low = true; // whether the newest message was in sight before the window changed
const messages = new Map();
const drawn = new Map(); // message id -> what stands for it in the log
const days = new Map();
const pressed = new Map(); // query id -> the button that waits for its answer

const acts = {
  command: (text) => send(text, 0),
  reply: composer.reply,
  now: (message) => messages.get(message.message_id) ?? message,
  view: (url) => { $("viewer-image").src = url; $("viewer").showModal(); },
  jump: (id) => {
    const element = $("log").querySelector(`[data-id="${Number(id)}"]`);
    element?.scrollIntoView({block: "center", behavior: "smooth"});
    element?.animate([{opacity: 0.4}, {opacity: 1}], 900);
  },
  press: async (message, button, element) => {
    element.classList.add("waiting");
    const answer = await attempt(() => post(`/chat/${person}/press`, {message_id: message.message_id, data: button.callback_data}));
    if (answer) pressed.set(answer.query_id, element);
    setTimeout(() => element.classList.remove("waiting"), answer ? 30000 : 0);
  },
};

async function attempt(action) {
  try { return await action(); } catch (error) {
    toast(error instanceof ChatError ? error.message : "The playground does not answer.");
    return null;
  }
}

async function send(text, replyTo) {
  const fields = {text};
  if (replyTo) fields.reply_to = replyTo;
  await attempt(() => post(`/chat/${person}/send`, fields));
}

async function sendFiles(items) {
  const fields = {items: JSON.stringify(items.map(({as, caption, emoji}) => ({as, caption, emoji})))};
  items.forEach(({file}, number) => { fields[`file${number}`] = file; });
  const replyTo = composer.takeReply();
  if (replyTo) fields.reply_to = replyTo;
  toast(items.length === 1 ? "Sending…" : `Sending ${items.length} pictures…`);
  if (await attempt(() => post(`/chat/${person}/send`, fields))) $("toast").hidden = true;
}

// --- the log -------------------------------------------------------------------------------------------

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

// Makes the children of ``parent`` be ``items`` and touches only those that differ.
function patch(parent, items) {
  items.forEach((item, i) => { if (parent.children[i] !== item) parent.insertBefore(item, parent.children[i] ?? null); });
  while (parent.children.length > items.length) parent.lastChild.remove();
}

const atBottom = () => $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 120;
const scrollDown = () => { $("scroll").scrollTop = $("scroll").scrollHeight; };
const scrolled = () => { low = atBottom(); $("down").hidden = low; };

function redraw(mine) {
  const follow = mine || atBottom();
  render();
  if (follow) scrollDown();
  scrolled();
}

// --- events --------------------------------------------------------------------------------------------

function take(event) {
  if (event.kind === "message" || event.kind === "edit") {
    messages.set(event.message.message_id, event.message);
    if (event.message.from.is_bot) heard();
  }
  if (event.kind === "delete") messages.delete(event.message_id);
  if (event.kind === "action") status(STATUS[event.action] ?? "busy…");
  if (event.kind === "pack") attempt(() => showPacks(person, pickSticker));
  if (event.kind === "answer") answered(event);
}

// A bot that has only now come up had no commands to show before.
function heard() {
  status("");
  if (!composer.hasCommands()) attempt(meetBot);
}

function answered({query_id, text, alert}) {
  pressed.get(query_id)?.classList.remove("waiting");
  pressed.delete(query_id);
  if (text && alert) { $("alert-text").textContent = text; $("alert").showModal(); }
  else if (text) toast(text);
}

function status(text) {
  clearTimeout(statusTimer);
  $("bot-status").textContent = text || "bot";
  $("bot-status").classList.toggle("busy", Boolean(text));
  if (text) statusTimer = setTimeout(() => status(""), 5000);
}

async function follow(seq, mine) {
  while (mine === visit) {
    try {
      const events = await get(`/chat/${person}/events?after=${seq}&timeout=25`);
      if (mine !== visit) return;
      for (const event of events) { take(event); seq = event.seq; }
      const mineToo = events.some((event) => event.kind === "message" && !event.message.from.is_bot);
      if (events.length) redraw(mineToo);
    } catch {
      status("not connected");
      await new Promise((resume) => setTimeout(resume, 1500));
    }
  }
}

// --- people --------------------------------------------------------------------------------------------

async function become(id) {
  person = id;
  const mine = ++visit;
  localStorage.setItem("person", id);
  history.replaceState(null, "", `?person=${id}`);
  const people = await get("/chat/people");
  const options = people.map((one) => new Option(one.first_name, one.id));
  $("people").replaceChildren(...options, new Option("Somebody new…", NEW));
  $("people").value = String(id);
  language = people.find((one) => one.id === id)?.language_code ?? "";
  await meetBot();
  const known = await get(`/chat/${id}/messages`);
  messages.clear();
  drawn.clear();
  for (const message of known.messages) messages.set(message.message_id, message);
  render();
  scrollDown();
  await showPacks(id, pickSticker);
  follow(known.seq, mine);
}

async function meetBot() {
  const bot = await get(`/chat/bot?language=${encodeURIComponent(language)}`);
  composer.setCommands(bot.commands);
  for (const id of ["bot-name", "empty-name"]) $(id).textContent = bot.user.first_name;
  for (const id of ["bot-avatar", "empty-avatar"]) $(id).textContent = bot.user.first_name.slice(0, 1);
  $("empty-text").textContent = bot.description || "Say hello: the bot answers to /start.";
  status("");
}

const pickSticker = (file_id) => attempt(() => post(`/chat/${person}/send`, {sticker: file_id}));

// What a person's Telegram tells the bot. The bot may speak it or not; the browser's own comes first.
function setUpLanguages() {
  const own = navigator.language.slice(0, 2);
  for (const code of new Set([own, "en", "ru", "de", "es", "fr", "it", "pt", "uk", "pl", "tr", "ja", "zh"])) {
    const name = new Intl.DisplayNames([code], {type: "language"}).of(code);
    $("joining-language").append(new Option(name, code));
  }
}

function setUpPeople() {
  setUpLanguages();
  $("people").addEventListener("change", () => {
    if ($("people").value !== NEW) { attempt(() => become(Number($("people").value))); return; }
    $("people").value = String(person);
    $("joining").showModal();
  });
  $("joining-cancel").addEventListener("click", () => { if (person) $("joining").close(); });
  $("joining").addEventListener("cancel", (event) => { if (!person) event.preventDefault(); });
  $("joining-form").addEventListener("submit", async () => {
    const fields = {first_name: $("joining-name").value, language_code: $("joining-language").value};
    $("joining-name").value = "";
    const user = await attempt(() => post("/chat/people", fields));
    if (user) attempt(() => become(user.id));
  });
}

// --- start ---------------------------------------------------------------------------------------------

let toastTimer = 0;
function toast(text) {
  clearTimeout(toastTimer);
  $("toast").textContent = text;
  $("toast").hidden = false;
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 4000);
}

function setUpTheme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  root.dataset.theme = localStorage.getItem("theme") || (dark.matches ? "dark" : "light");
  $("theme").addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}

async function begin() {
  setUpTheme();
  setUpPanel();
  setUpPeople();
  composer.setUp(send);
  attach.setUp(sendFiles);
  $("start").addEventListener("click", () => send("/start", 0));
  $("down").addEventListener("click", scrollDown);
  $("scroll").addEventListener("scroll", scrolled);
  // A phone's keyboard or another width must not push the newest message out of sight.
  new ResizeObserver(() => { if (low) scrollDown(); scrolled(); }).observe($("scroll"));
  $("viewer").addEventListener("click", () => $("viewer").close());
  const people = await get("/chat/people");
  const wanted = Number(new URLSearchParams(location.search).get("person") || localStorage.getItem("person"));
  const known = people.find((one) => one.id === wanted) ?? people.at(-1);
  if (known) { await become(known.id); return; }
  language = navigator.language.slice(0, 2);
  await meetBot();
  $("joining").showModal();
}

attempt(begin);
