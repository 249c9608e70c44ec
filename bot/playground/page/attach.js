// Choosing files (button, drag, paste), and how to send them: as photos, stickers or files.

import {focus as focusLine, hide as hideCommands} from "./composer.js";
import {make} from "./messages.js";
import {t} from "./words.js";

const $ = (id) => document.getElementById(id);
const HINTS = {photo: "hintPhoto", sticker: "hintSticker", document: "hintDocument"};
const STILL = /\.(png|jpe?g|webp)$/i;
const CLEAR = /\.(png|webp)$/i; // may be transparent
const MOVING = /\.(webm|tgs)$/i;
let chosen = [];

// ``send`` gets [{file, as, caption, emoji}].
export function setUp(send) {
  $("attach").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", () => { open([...$("files").files]); $("files").value = ""; });
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) { event.preventDefault(); open(files); }
  });
  setUpDrop();
  $("sending-cancel").addEventListener("click", () => $("sending").close());
  $("sending-form").addEventListener("change", (event) => { if (event.target.name === "as") show(); });
  $("sending-form").addEventListener("submit", (event) => { event.preventDefault(); $("sending").close(); send(items()); });
  $("sending").addEventListener("close", () => { chosen.forEach((one) => URL.revokeObjectURL(one.url)); focusLine(); });
}

function setUpDrop() {
  let depth = 0;
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  const toggle = (change) => { depth = Math.max(0, depth + change); $("drop").hidden = depth === 0; };
  document.addEventListener("dragenter", (event) => { if (isFiles(event)) toggle(1); });
  document.addEventListener("dragleave", (event) => { if (isFiles(event)) toggle(-1); });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    toggle(0);
    open([...event.dataTransfer.files]);
  });
}

const kind = () => $("sending-form").elements.as.value;

export function open(files) {
  if (!files.length || document.querySelector("dialog[open]")) return;
  hideCommands();
  chosen = files.map((file) => ({file, url: URL.createObjectURL(file), caption: "", emoji: ""}));
  const all = (kind) => files.every((file) => kind.test(file.name));
  const as = all(CLEAR) || all(MOVING) ? "sticker" : all(STILL) ? "photo" : "document";
  $("sending-form").elements.as.value = as;
  const allowed = {photo: all(STILL), sticker: files.every((file) => STILL.test(file.name) || MOVING.test(file.name)), document: true};
  for (const radio of $("sending-form").elements.as) radio.disabled = !allowed[radio.value];
  $("sending-title").textContent = files.length === 1 ? t("sendOne") : t("sendMany", {n: files.length});
  show();
  $("sending").showModal();
  $("previews").querySelector("input")?.focus();
}

function show() {
  $("sending-hint").textContent = t(HINTS[kind()]);
  $("previews").replaceChildren(...chosen.map((one) => preview(one, kind() === "sticker" ? "emoji" : "caption")));
}

// A chosen file with a field for its emoji or its caption.
export function preview(one, name) {
  const field = make("input");
  field.placeholder = t(name);
  field.setAttribute("aria-label", t(`${name}Of`, {name: one.file.name}));
  field.maxLength = name === "emoji" ? 16 : 4096;
  field.value = one[name];
  field.addEventListener("input", () => { one[name] = field.value; });
  return make("li", "", thumb(one), make("div", "", make("small", "", one.file.name), field));
}

function thumb(one) {
  if (/\.webm$/i.test(one.file.name)) return Object.assign(make("video"), {muted: true, loop: true, autoplay: true, src: one.url});
  if (!STILL.test(one.file.name)) return make("span", "thumb", one.file.name.split(".").pop().slice(0, 6));
  const image = make("img");
  image.src = one.url;
  image.alt = "";
  return image;
}

function items() {
  const as = kind();
  return chosen.map(({file, caption, emoji}) => ({
    file, as, caption: as === "sticker" ? "" : caption.trim(), emoji: as === "sticker" ? emoji.trim() : "",
  }));
}
