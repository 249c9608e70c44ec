// The page: puts its parts together and follows what happens.

import * as attach from "./attach.js";
import * as chats from "./chats.js";
import * as composer from "./composer.js";
import {act, here, inGroup} from "./here.js";
import {ChatError, get} from "./http.js";
import * as inline from "./inline.js";
import * as log from "./log.js";
import * as packs from "./packs.js";
import * as publish from "./publish.js";
import {speak, t} from "./words.js";

const $ = (id) => document.getElementById(id);
const ACTIONS = ["typing", "upload_photo", "upload_document", "choose_sticker"];
let visit = 0; // counts changes of person, so that an old event loop knows that it is over
let entered = 0; // counts changes of chat
let statusTimer = 0;
const pressed = new Map(); // query id -> the button that waits for its answer

async function attempt(action) {
  try { return (await action()) ?? true; } catch (error) {
    toast(error instanceof ChatError ? error.message : t("noAnswer"));
    return null;
  }
}

const send = (text, replyTo = 0) => attempt(() => act("send", replyTo ? {text, reply_to: replyTo} : {text}));

async function sendFiles(items) {
  const fields = {items: JSON.stringify(items.map(({as, caption, emoji}) => ({as, caption, emoji})))};
  items.forEach(({file}, number) => { fields[`file${number}`] = file; });
  const replyTo = composer.takeReply();
  if (replyTo) fields.reply_to = replyTo;
  toast(t("sending"));
  if (await attempt(() => act("send", fields))) $("toast").hidden = true;
}

async function press(message, button, element) {
  element.classList.add("waiting");
  const fields = {message_id: message.message_id, data: button.callback_data};
  const answer = await attempt(() => act("press", fields));
  if (answer) pressed.set(answer.query_id, element);
  setTimeout(() => element.classList.remove("waiting"), answer ? 30000 : 0);
}

// What a link with ?start= does in Telegram: the private chat opens and "/start parameter" is sent.
async function startWith(parameter) {
  await attempt(() => enter(here.person));
  await send(`/start ${parameter}`.trim());
}

// --- events --------------------------------------------------------------------------------------------

// Gives whether the log has changed.
function take(event) {
  if (event.kind === "pack") attempt(packs.showPacks);
  if (event.kind === "answer") answered(event);
  if (event.kind === "inline") inline.answered(event);
  const kind = event.kind.replace(/^group_/, "");
  if (!["message", "edit", "delete", "action"].includes(kind)) return false;
  const chat = event.chat ?? here.person;
  if (chat !== here.chat) { if (kind === "message") chats.elsewhere(chat); return false; }
  if (kind === "action") { status(t(ACTIONS.includes(event.action) ? event.action : "busy")); return false; }
  if (kind === "delete") log.drop(event.message_id); else log.put(event.message);
  if (event.message?.from.is_bot) heard();
  return true;
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
  $("bot-status").textContent = text || t(inGroup() ? "group" : "bot");
  $("bot-status").classList.toggle("busy", Boolean(text));
  if (text) statusTimer = setTimeout(() => status(""), 5000);
}

async function follow(seq, mine) {
  while (mine === visit) {
    try {
      const events = await get(`/chat/${here.person}/events?after=${seq}&timeout=25`);
      if (mine !== visit) return;
      let own = false;
      let changed = false;
      for (const event of events) {
        seq = event.seq;
        if (take(event)) { changed = true; own ||= event.message?.from.id === here.person; }
      }
      if (changed) log.redraw(own);
    } catch {
      status(t("offline"));
      await new Promise((resume) => setTimeout(resume, 1500));
    }
  }
}

// --- people and chats ----------------------------------------------------------------------------------

async function become(id) {
  const mine = ++visit;
  localStorage.setItem("person", id);
  here.person = here.chat = id;
  const {seq} = await get(`/chat/${id}/messages`);
  await again();
  if (mine === visit) follow(seq, mine);
}

// Everything anew, in the language of the person.
async function again() {
  await chats.refreshPeople(); // tells the language
  speak(chats.languageOf(here.person));
  await chats.refreshPeople(); // in that language
  await enter(here.chat);
  await packs.showPacks();
}

async function enter(chat) {
  const mine = ++entered;
  composer.cancel();
  here.chat = chat;
  history.replaceState(null, "", `?person=${here.person}${inGroup() ? `&chat=${chat}` : ""}`);
  await meetBot();
  await chats.refreshChats();
  const known = await get(`/chat/${here.person}/messages${inGroup() ? `?chat=${chat}` : ""}`);
  if (mine === entered) log.fill(known.messages);
}

async function meetBot() {
  const bot = await get(`/chat/bot?language=${encodeURIComponent(chats.languageOf(here.person))}`);
  here.bot = bot.user;
  composer.setCommands(bot.commands);
  $("empty-text").textContent = inGroup() ? t("emptyGroup") : bot.description || t("hello");
  $("start").hidden = inGroup();
  status("");
}

// --- start ---------------------------------------------------------------------------------------------

let toastTimer = 0;
function toast(text) {
  clearTimeout(toastTimer);
  const open = [...document.querySelectorAll("dialog[open]")].at(-1);
  (open ?? document.body).append($("toast")); // a dialog covers what is outside of it
  $("toast").textContent = text;
  $("toast").hidden = false;
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 4000);
}

// A link to the bot leads to its private chat here, not to Telegram.
function setUpLinks() {
  document.addEventListener("click", (event) => {
    const address = event.target.closest?.("a[href]")?.href;
    if (!address?.toLowerCase().startsWith(`https://t.me/${here.bot?.username.toLowerCase()}`)) return;
    event.preventDefault();
    startWith(new URL(address).searchParams.get("start") ?? "");
  });
}

function setUp() {
  chats.setUp({attempt, become, enter, again, toast});
  packs.setUp({attempt, sendText: send});
  publish.setUp(attempt, packs.showPacks);
  composer.setUp({
    send,
    edit: (id, text) => attempt(() => act("edit", {message_id: id, text})),
    lastOwn: log.lastOwn,
  });
  inline.setUp({attempt, clear: composer.clear, open: startWith});
  attach.setUp(sendFiles);
  log.setUp({
    command: send,
    press,
    reply: composer.reply,
    edit: composer.edit,
    inline: (words) => composer.fill(`@${here.bot.username} ${words}`),
    view: (url) => { $("viewer-image").src = url; $("viewer").showModal(); },
  });
  setUpLinks();
  $("start").addEventListener("click", () => send("/start"));
  $("viewer").addEventListener("click", () => $("viewer").close());
}

async function begin() {
  speak(navigator.language.slice(0, 2));
  setUp();
  const people = await get("/chat/people");
  const asked = new URLSearchParams(location.search);
  const wanted = Number(asked.get("person") || localStorage.getItem("person"));
  const known = people.find((one) => one.id === wanted) ?? people.at(-1);
  if (!known) { await meetBot(); chats.joining(); return; }
  const chat = Number(asked.get("chat"));
  await become(known.id);
  if (chat) await enter(chat);
}

attempt(begin);
