// Choosing pictures (button, drag, paste), and how to send them: as photos, stickers or files.

import {focus as focusLine, hide as hideCommands} from "./composer.js";
import {make} from "./messages.js";

const $ = (id) => document.getElementById(id);
const HINTS = {
  photo: "A photo loses its transparency and fine detail, as everywhere in Telegram.",
  sticker: "A sticker keeps its transparency and can have an emoji. Captions come as a reply.",
  document: "A file arrives exactly as it is, with a caption.",
};
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
  if (!files.length || $("joining").open) return;
  hideCommands();
  chosen = files.map((file) => ({file, url: URL.createObjectURL(file), caption: "", emoji: ""}));
  const pictures = files.every((file) => ["image/png", "image/jpeg", "image/webp"].includes(file.type));
  const clear = files.every((file) => ["image/png", "image/webp"].includes(file.type));
  $("sending-form").elements.as.value = !pictures ? "document" : clear ? "sticker" : "photo";
  for (const radio of $("sending-form").elements.as) radio.disabled = !pictures && radio.value !== "document";
  $("sending-title").textContent = files.length === 1 ? "Send a picture" : `Send ${files.length} pictures`;
  show();
  $("sending").showModal();
  $("previews").querySelector("input")?.focus();
}

function show() {
  $("sending-hint").textContent = HINTS[kind()];
  $("previews").replaceChildren(...chosen.map(preview));
}

function preview(one) {
  const image = make("img");
  image.src = one.url;
  image.alt = one.file.name;
  const field = make("input");
  const name = kind() === "sticker" ? "emoji" : "caption";
  field.placeholder = name === "emoji" ? "Emoji, such as 🦊" : "Caption";
  field.setAttribute("aria-label", `${name} of ${one.file.name}`);
  field.maxLength = name === "emoji" ? 16 : 4096;
  field.value = one[name];
  field.addEventListener("input", () => { one[name] = field.value; });
  return make("li", "", image, field);
}

function items() {
  const as = kind();
  return chosen.map(({file, caption, emoji}) => ({
    file, as, caption: as === "sticker" ? "" : caption.trim(), emoji: as === "sticker" ? emoji.trim() : "",
  }));
}
