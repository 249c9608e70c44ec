// A pack that a person publishes without the bot, as with Telegram's @Stickers: to be sent to the bot.

import {preview} from "./attach.js";
import {act} from "./here.js";
import {view} from "./packs.js";

const $ = (id) => document.getElementById(id);
let chosen = [];

export function setUp(attempt, changed) {
  $("publish-choose").addEventListener("click", () => $("publish-files").click());
  $("publish-files").addEventListener("change", () => {
    chosen.push(...[...$("publish-files").files].map((file) => ({file, url: URL.createObjectURL(file), emoji: ""})));
    $("publish-files").value = "";
    show();
  });
  $("publish-cancel").addEventListener("click", () => $("publish").close());
  $("publish").addEventListener("close", empty);
  $("publish-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const pack = await attempt(publish);
    if (!pack) return;
    $("publish").close();
    await changed();
    await view(pack.name);
  });
}

export function open() {
  $("publish-title").value = $("publish-name").value = "";
  empty();
  $("publish").showModal();
  $("publish-title").focus();
}

function empty() {
  chosen.forEach((one) => URL.revokeObjectURL(one.url));
  chosen = [];
  show();
}

function show() {
  $("publish-previews").replaceChildren(...chosen.map((one) => preview(one, "emoji")));
  $("publish-go").disabled = !chosen.length;
}

function publish() {
  const items = chosen.map(({emoji}) => ({as: "sticker", emoji: emoji.trim()}));
  const files = Object.fromEntries(chosen.map(({file}, number) => [`file${number}`, file]));
  return act("publish", {title: $("publish-title").value, name: $("publish-name").value, items: JSON.stringify(items), ...files});
}
