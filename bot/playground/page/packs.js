// The side panel with the person's sticker packs.

import {fileUrl, get} from "./http.js";
import {make} from "./messages.js";

const $ = (id) => document.getElementById(id);
const FULL = {regular: 120, custom_emoji: 200};

// ``pick`` gets the file_id of a sticker that was clicked.
export async function showPacks(person, pick) {
  const packs = await get(`/chat/${person}/packs`);
  $("shelf").replaceChildren(...(packs.length ? packs.map((pack) => packElement(pack, pick)) : [nothing()]));
}

function nothing() {
  return make("p", "nothing", "No packs yet. Stickers that the bot adds to your pack appear here.");
}

function packElement(pack, pick) {
  const count = make("span", "count", `${pack.stickers.length} of ${FULL[pack.sticker_type]}`);
  const head = make("header", "", make("h3", "", pack.title), count);
  const name = make("p", "name", pack.name);
  const grid = make("div", "grid", ...pack.stickers.map((sticker) => stickerButton(sticker, pick)));
  return make("section", "pack", head, name, grid);
}

function stickerButton(sticker, pick) {
  const image = make("img");
  image.src = fileUrl(sticker.file_id);
  image.alt = `sticker ${sticker.emoji}`;
  image.loading = "lazy";
  const button = make("button", "", image, make("span", "emoji", sticker.emoji_list.slice(0, 2).join("")));
  button.type = "button";
  button.title = [sticker.emoji_list.join(" "), sticker.keywords.join(", ")].filter(Boolean).join("\n");
  button.addEventListener("click", () => pick(sticker.file_id));
  return button;
}

function toggle(open) {
  document.body.classList.toggle("with-packs", open);
  $("packs-toggle").setAttribute("aria-expanded", String(open));
}

export function setUpPanel() {
  const narrow = matchMedia("(max-width: 900px)");
  toggle(!narrow.matches);
  narrow.addEventListener("change", () => toggle(!narrow.matches));
  $("packs-toggle").addEventListener("click", () => toggle(!document.body.classList.contains("with-packs")));
  $("packs-close").addEventListener("click", () => toggle(false));
  // Links to a pack would lead to Telegram, where the playground's packs are not.
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.('a[href^="https://t.me/addstickers/"], a[href^="https://t.me/addemoji/"]')) return;
    event.preventDefault();
    toggle(true);
  });
}
