// The person's sticker packs: a side panel with all of them, and a viewer in which one pack is changed.

import {act, here} from "./here.js";
import {get} from "./http.js";
import {make, stickerImage} from "./messages.js";
import {t} from "./words.js";

const $ = (id) => document.getElementById(id);
const FULL = {regular: 120, custom_emoji: 200};
const LINK = /^https:\/\/t\.me\/add(?:stickers|emoji)\/(\w+)$/;
let acts = {};
let shown = null; // the pack in the viewer
let picked = 0;

export async function showPacks() {
  const packs = await get(`/chat/${here.person}/packs`);
  $("shelf").replaceChildren(...(packs.length ? packs.map(packElement) : [make("p", "nothing", t("noPacks"))]));
  if ($("pack").open && shown) await view(shown.name);
}

const countOf = (pack) => t("of", {n: pack.stickers.length, most: FULL[pack.sticker_type]});
const linkOf = (pack) => `https://t.me/${pack.sticker_type === "regular" ? "addstickers" : "addemoji"}/${pack.name}`;

function packElement(pack) {
  const title = make("button", "title", pack.title);
  title.type = "button";
  title.setAttribute("aria-label", t("open", {title: pack.title}));
  title.addEventListener("click", () => view(pack.name));
  const head = make("header", "", make("h3", "", title), make("span", "count", countOf(pack)));
  const grid = make("div", `grid ${pack.sticker_type}`, ...pack.stickers.map((one) => {
    const button = cell(one);
    button.addEventListener("click", () => send(one));
    return button;
  }));
  return make("section", "pack", head, make("p", "name", pack.name), grid);
}

function cell(sticker) {
  const emoji = sticker.emoji_list.slice(0, 2).join("");
  const button = make("button", "", stickerImage(sticker), make("span", "emoji", emoji));
  button.type = "button";
  button.title = [sticker.emoji_list.join(" "), sticker.keywords.join(", ")].filter(Boolean).join("\n");
  return button;
}

const send = (sticker) => acts.attempt(() => act("send", {sticker: sticker.file_id}));

// --- the viewer ----------------------------------------------------------------------------------------

export async function view(name) {
  const pack = await acts.attempt(() => get(`/chat/packs/${encodeURIComponent(name)}`));
  if (!pack) { $("pack").close(); return; }
  if (shown?.name !== pack.name) picked = 0;
  shown = pack;
  const own = pack.owner === here.person;
  for (const id of ["pack-earlier", "pack-later", "pack-remove", "pack-delete", "pack-hint"]) $(id).hidden = !own;
  $("pack-change").hidden = !pack.stickers.length;
  $("pack-delete").textContent = t("deletePack");
  $("pack-title").textContent = pack.title;
  $("pack-name").textContent = `${pack.name} · ${countOf(pack)}`;
  picked = Math.max(0, Math.min(picked, pack.stickers.length - 1));
  const focused = $("pack").open && $("pack-grid").contains(document.activeElement);
  $("pack-grid").className = `grid ${pack.sticker_type}`;
  $("pack-grid").replaceChildren(...pack.stickers.map((one, i) => place(one, i, own)));
  if (!pack.stickers.length) $("pack-grid").append(make("p", "nothing", t("emptyPack")));
  mark(focused || !$("pack").open);
  if (!$("pack").open) { $("pack").showModal(); mark(true); }
}

function place(sticker, index, own) {
  const button = cell(sticker);
  button.addEventListener("click", () => { picked = index; mark(true); });
  button.addEventListener("dblclick", pickedSent);
  if (!own) return button;
  button.draggable = true;
  button.addEventListener("dragstart", (event) => { picked = index; mark(false); event.dataTransfer.effectAllowed = "move"; });
  button.addEventListener("dragover", (event) => event.preventDefault());
  button.addEventListener("drop", (event) => { event.preventDefault(); event.stopPropagation(); move(index); });
  return button;
}

// One sticker takes the focus at a time, as in any grid.
function mark(focus) {
  const cells = [...$("pack-grid").querySelectorAll("button")];
  cells.forEach((one, i) => { one.tabIndex = i === picked ? 0 : -1; one.setAttribute("aria-pressed", String(i === picked)); });
  if (focus) cells[picked]?.focus();
}

async function move(to) {
  const sticker = shown.stickers[picked];
  if (to < 0 || to >= shown.stickers.length || to === picked) return;
  if (await acts.attempt(() => act("move", {sticker: sticker.file_id, position: to}))) { picked = to; await showPacks(); }
}

async function remove() {
  if (await acts.attempt(() => act("remove", {sticker: shown.stickers[picked].file_id}))) await showPacks();
}

async function removeAll() {
  if ($("pack-delete").textContent !== t("deleteSure")) { $("pack-delete").textContent = t("deleteSure"); return; }
  $("pack").close();
  if (await acts.attempt(() => act("delete_pack", {name: shown.name}))) await showPacks();
}

function pickedSent() {
  $("pack").close();
  send(shown.stickers[picked]);
}

function keydown(event) {
  if (!shown?.stickers.length) return;
  const columns = getComputedStyle($("pack-grid")).gridTemplateColumns.split(" ").length;
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[event.key];
  const own = shown.owner === here.person;
  if (step && event.shiftKey && own) move(picked + step);
  else if (step) { picked = Math.max(0, Math.min(shown.stickers.length - 1, picked + step)); mark(true); }
  else if (event.key === "Delete" && own) remove();
  else if (event.key === "Enter") pickedSent();
  else return;
  event.preventDefault();
}

// --- the panel -----------------------------------------------------------------------------------------

export function toggle(open) {
  document.body.classList.toggle("with-packs", open);
  $("packs-toggle").setAttribute("aria-expanded", String(open));
  if (open && matchMedia("(max-width: 900px)").matches) $("packs-close").focus();
}

function close() {
  toggle(false);
  $("packs-toggle").focus();
}

// ``given``: attempt(action), which shows an error; and sendText(text).
export function setUp(given) {
  acts = given;
  const narrow = matchMedia("(max-width: 900px)");
  toggle(!narrow.matches);
  narrow.addEventListener("change", () => toggle(!narrow.matches));
  $("packs-toggle").addEventListener("click", () => toggle(!document.body.classList.contains("with-packs")));
  $("packs-close").addEventListener("click", close);
  $("packs").addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  $("pack-grid").addEventListener("keydown", keydown);
  $("pack-send").addEventListener("click", pickedSent);
  $("pack-earlier").addEventListener("click", () => move(picked - 1));
  $("pack-later").addEventListener("click", () => move(picked + 1));
  $("pack-remove").addEventListener("click", remove);
  $("pack-delete").addEventListener("click", removeAll);
  $("pack-close").addEventListener("click", () => $("pack").close());
  $("pack-link").addEventListener("click", () => { $("pack").close(); acts.sendText(linkOf(shown)); });
  // Links to a pack would lead to Telegram, where the playground's packs are not.
  document.addEventListener("click", (event) => {
    const found = LINK.exec(event.target.closest?.("a[href]")?.href ?? "");
    if (!found) return;
    event.preventDefault();
    view(found[1]);
  });
}
