// Inline mode: "@bot words" in the line shows the bot's results above it; choosing one sends it.

import {act, here} from "./here.js";
import {make, stickerImage} from "./messages.js";
import {t} from "./words.js";

const $ = (id) => document.getElementById(id);
const DELAY = 250; // ms without another key
let asked = null; // the newest query: {id, text, next}
let early = new Map(); // answers that came before their query's id was known
let timer = 0;
let picked = 0;
let acts = {};

// ``attempt`` runs a call and shows its error, ``clear`` empties the line, ``open`` sends /start with a parameter.
export function setUp(given) {
  acts = given;
  $("offers").addEventListener("scroll", more);
}

const query = (text) => {
  const name = here.bot?.username;
  const found = name && text.toLowerCase().startsWith(`@${name.toLowerCase()} `);
  return found ? text.slice(name.length + 2) : null;
};

export function typed(text) {
  clearTimeout(timer);
  if (query(text) === null) { hide(); return; }
  timer = setTimeout(() => ask(query(text), ""), DELAY);
}

async function ask(text, offset) {
  if (!offset) asked = null;
  const answer = await acts.attempt(() => act("inline", {query: text, offset}));
  if (!answer || query($("text").value) !== text) return;
  asked = {id: answer.query_id, text, next: "", offset};
  if (early.has(asked.id)) answered(early.get(asked.id));
}

export function answered(event) {
  if (event.query_id !== asked?.id) { early = new Map([...early, [event.query_id, event]].slice(-5)); return; }
  asked.next = event.next_offset;
  if (!asked.offset) reset(event.button);
  $("offer-grid").append(...event.results.map((result) => offer(event.query_id, result)));
  $("offer-grid").hidden = !$("offer-grid").children.length;
  $("offer-none").hidden = !$("offer-grid").hidden || Boolean(event.button);
  mark();
}

function reset(button) {
  picked = 0;
  $("offers").hidden = false;
  $("offer-grid").replaceChildren();
  $("offer-button").hidden = !button;
  if (!button) return;
  $("offer-button").textContent = button.text;
  $("offer-button").onclick = () => { hide(); acts.clear(); acts.open(button.start_parameter); };
}

function offer(queryId, result) {
  const button = make("button", "", stickerImage(result.sticker));
  button.type = "button";
  button.setAttribute("role", "option");
  button.addEventListener("click", async () => {
    hide();
    acts.clear();
    await acts.attempt(() => act("choose", {query_id: queryId, result_id: result.id}));
  });
  return button;
}

function more() {
  const {scrollTop, scrollHeight, clientHeight} = $("offers");
  if (!asked?.next || scrollTop + clientHeight < scrollHeight - 60) return;
  const offset = asked.next;
  asked.next = "";
  ask(asked.text, offset);
}

function mark() {
  const offers = [...$("offer-grid").children];
  offers.forEach((one, i) => one.setAttribute("aria-selected", String(i === picked)));
  offers[picked]?.scrollIntoView({block: "nearest"});
}

// Whether the key was meant for the results.
export function keydown(event) {
  if ($("offers").hidden) return false;
  const offers = $("offer-grid").children;
  const step = {ArrowUp: -columns(), ArrowDown: columns(), ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (event.key === "Escape") hide();
  else if (event.key === "Enter" && offers.length) offers[picked].click();
  else if (event.key === "Enter" && !$("offer-button").hidden) $("offer-button").click();
  else if (step && offers.length) { picked = Math.max(0, Math.min(offers.length - 1, picked + step)); mark(); }
  else return false;
  event.preventDefault();
  return true;
}

const columns = () => getComputedStyle($("offer-grid")).gridTemplateColumns.split(" ").length;

export function hide() {
  clearTimeout(timer);
  asked = null;
  $("offers").hidden = true;
}
