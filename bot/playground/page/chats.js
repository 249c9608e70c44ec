// Who is chatting and in which chat: people, groups, the language of somebody's Telegram, and what else they can do.

import {act, here, inGroup} from "./here.js";
import {get, post} from "./http.js";
import {make} from "./messages.js";
import {open as openPublish} from "./publish.js";
import {t} from "./words.js";

const $ = (id) => document.getElementById(id);
const NEW = "new";
const LANGUAGES = ["en", "ru", "de", "es", "fr", "it", "pt", "uk", "pl", "tr", "ja", "zh"];
let acts = {};
let people = [];
const unread = new Set();

// ``given``: attempt(action), become(id), enter(chat), again() after a change of the language, toast(text)
export function setUp(given) {
  acts = given;
  setUpLanguages();
  $("people").addEventListener("change", () => choose($("people"), String(here.person), acts.become, joining));
  $("chats").addEventListener("change", () => choose($("chats"), String(here.chat), acts.enter, grouping));
  setUpJoining();
  setUpGrouping();
  setUpMore();
}

// A choice that is "new" opens a dialog and leaves the old one.
function choose(select, old, take, ask) {
  if (select.value !== NEW) { acts.attempt(() => take(Number(select.value))); return; }
  select.value = old;
  ask();
}

export async function refreshPeople() {
  people = await get("/chat/people");
  const options = people.map((one) => new Option(one.first_name, one.id));
  $("people").replaceChildren(...options, new Option(t("somebodyNew"), NEW));
  $("people").value = String(here.person);
  return people;
}

export async function refreshChats() {
  const groups = await get(`/chat/${here.person}/groups`);
  unread.delete(here.chat);
  const option = (id, name) => new Option(unread.has(id) ? `● ${name}` : name, id);
  const options = [option(here.person, here.bot.first_name), ...groups.map(({id, title}) => option(id, title))];
  $("chats").replaceChildren(...options, new Option(t("newGroup"), NEW));
  $("chats").value = String(here.chat);
  const title = $("chats").selectedOptions[0].text;
  $("empty-name").textContent = title;
  for (const id of ["avatar", "empty-avatar"]) $(id).textContent = title.slice(0, 1);
}

// Something has happened in a chat that is not open.
export function elsewhere(chat) {
  if (unread.has(chat)) return;
  unread.add(chat);
  acts.attempt(refreshChats);
}

export const languageOf = (id) => people.find((one) => one.id === id)?.language_code ?? "";

// What a person's Telegram tells the bot. The bot may speak it or not; the browser's own comes first.
function setUpLanguages() {
  const own = navigator.language.slice(0, 2);
  for (const code of new Set([own, ...LANGUAGES])) {
    const name = new Intl.DisplayNames([code], {type: "language"}).of(code);
    for (const id of ["joining-language", "more-language"]) $(id).append(new Option(name, code));
  }
}

// --- somebody new --------------------------------------------------------------------------------------

export function joining() {
  $("joining-cancel").hidden = !here.person;
  $("joining").showModal();
}

function setUpJoining() {
  $("joining-cancel").addEventListener("click", () => $("joining").close());
  $("joining").addEventListener("cancel", (event) => { if (!here.person) event.preventDefault(); });
  $("joining-form").addEventListener("submit", async () => {
    const fields = {first_name: $("joining-name").value, language_code: $("joining-language").value};
    $("joining-name").value = "";
    const user = await acts.attempt(() => post("/chat/people", fields));
    if (user) acts.attempt(() => acts.become(user.id));
  });
}

// --- a new group ---------------------------------------------------------------------------------------

function grouping() {
  $("group-title").value = "";
  $("group-members").replaceChildren(...people.map((one) => {
    const box = make("input");
    Object.assign(box, {type: "checkbox", value: one.id, checked: one.id === here.person, disabled: one.id === here.person});
    return make("label", "", box, one.first_name);
  }));
  $("grouping").showModal();
}

function setUpGrouping() {
  $("group-cancel").addEventListener("click", () => $("grouping").close());
  $("group-form").addEventListener("submit", async () => {
    const members = [...$("group-members").querySelectorAll("input:checked")].map((box) => Number(box.value));
    const group = await acts.attempt(() => post("/chat/groups", {title: $("group-title").value, members: JSON.stringify(members)}));
    if (group) acts.attempt(() => acts.enter(group.id));
  });
}

// --- more ----------------------------------------------------------------------------------------------

function setUpMore() {
  setUpTheme();
  $("more-open").addEventListener("click", () => {
    $("more-language").value = languageOf(here.person);
    $("more-block").hidden = inGroup();
    $("more-remove").hidden = !inGroup();
    $("more").showModal();
  });
  $("more-close").addEventListener("click", () => $("more").close());
  $("more-language").addEventListener("change", async () => {
    if (await acts.attempt(() => act("language", {language_code: $("more-language").value}))) acts.attempt(acts.again);
  });
  $("more-publish").addEventListener("click", () => { $("more").close(); openPublish(); });
  $("more-block").addEventListener("click", () => tell("block", "blocked"));
  $("more-remove").addEventListener("click", () => tell("remove_bot", "removed"));
}

async function tell(what, done) {
  $("more").close();
  if (await acts.attempt(() => act(what))) acts.toast(t(done));
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
