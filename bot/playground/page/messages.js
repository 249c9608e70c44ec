// One message, or the photos of one album, as an element of the log.

import {here, inGroup} from "./here.js";
import {fileUrl} from "./http.js";
import {richText} from "./text.js";
import {localeNow, t} from "./words.js";

export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

const clock = (message) => new Intl.DateTimeFormat(localeNow(), {hour: "2-digit", minute: "2-digit", hour12: false}).format(message.date * 1000);
export const dayOf = (message) => new Intl.DateTimeFormat(localeNow(), {day: "numeric", month: "long"}).format(message.date * 1000);
export const isMine = (message) => message.from.id === here.person;
const isEditable = (message) => isMine(message) && !message.sticker && !message.via_bot;

// ``acts``: press(message, button, element), reply(message), edit(message), command(text), view(url), jump(id), and
// now(message), which is that message after its last edit
export function messageElement(message, acts) {
  const item = make("li", `message ${isMine(message) ? "mine" : "theirs"}`);
  item.dataset.id = message.message_id;
  const bubble = make("div", message.sticker ? "bare" : "bubble");
  bubble.append(...author(message));
  if (message.reply_to_message) bubble.append(quote(acts.now(message.reply_to_message), acts));
  bubble.append(...media(message, acts));
  const text = message.text ?? message.caption;
  if (text) bubble.append(textElement(message, text, acts));
  bubble.append(stamp(message));
  const body = make("div", "body", bubble);
  const rows = message.reply_markup?.inline_keyboard;
  if (rows) body.append(keyboard(message, rows, acts));
  const buttons = [tool("reply", REPLY, () => acts.reply(message))];
  if (isEditable(message)) buttons.push(tool("edit", EDIT, () => acts.edit(message)));
  item.append(body, make("div", "tools", ...buttons));
  return item;
}

// In a group, who has written; and by way of which bot.
function author(message) {
  const parts = [];
  if (inGroup() && !isMine(message)) parts.push(make("b", "", message.from.first_name));
  if (message.via_bot) parts.push(make("span", "", `${t("via")} @${message.via_bot.username}`));
  return parts.length ? [make("p", "author", ...parts)] : [];
}

// The stamp stands in the last line of the text; an invisible copy of it keeps that much room free.
function textElement(message, text, acts) {
  const element = make("div", "text", richText(text, message.entities ?? message.caption_entities, acts.command));
  element.dataset.stamp = stampText(message);
  return element;
}

// The photos of an album share the bubble of the first; their captions stand below, in their order.
export function albumElement(album, acts) {
  const [first, ...others] = album.map((message) => messageElement(message, acts));
  const bubble = first.querySelector(".bubble");
  const grid = make("div", "album");
  bubble.querySelector(".photo").replaceWith(grid);
  grid.append(...[first, ...others].map((_, i) => picture(album[i].photo.at(-1), "photo", 340, acts)));
  // Three in a row; what does not fill one is shown in rows of two above.
  const pairs = [0, 4, 2][album.length % 3];
  [...grid.children].slice(0, pairs).forEach((image) => image.classList.add("half"));
  const texts = others.map((other) => other.querySelector(".text")).filter(Boolean);
  bubble.querySelector(".stamp").before(...texts);
  return first;
}

function media(message, acts) {
  if (message.photo) return [photo(message.photo, acts)];
  if (message.sticker) return [sticker(message.sticker, acts)];
  if (message.document) return [document_(message.document)];
  return [];
}

function picture(file, className, most, acts) {
  const scale = Math.min(1, most / Math.max(file.width, file.height));
  const image = make("img", className);
  image.width = Math.round(file.width * scale);
  image.height = Math.round(file.height * scale);
  image.loading = "lazy";
  image.src = fileUrl(file.file_id);
  image.alt = t(className);
  opens(image, () => acts.view(image.src));
  return image;
}

// Makes a picture work as a button, by mouse and by keyboard.
function opens(element, action) {
  element.tabIndex = 0;
  element.setAttribute("role", "button");
  element.addEventListener("click", action);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    action();
  });
}

function photo(sizes, acts) {
  const file = sizes.at(-1);
  return picture(file, "photo", file.width > file.height ? 480 : 340, acts);  // sheets are wide and full of detail
}

function sticker(file, acts) {
  if (file.is_animated || file.is_video) return make("div", "sticker moving", stickerImage(file));
  const image = picture(file, "sticker", 200, acts);
  image.alt = stickerName(file);
  image.title = file.emoji ?? "";
  return image;
}

const stickerName = (file) => `${t(file.is_animated ? "animated" : "sticker")} ${file.emoji ?? ""}`.trim();

// A sticker wherever it is shown. A browser plays video stickers; of an animated one (.tgs) the server draws a still
// picture.
export function stickerImage(file) {
  const element = make(file.is_video ? "video" : "img");
  if (file.is_video) {
    Object.assign(element, {muted: true, loop: true, autoplay: true, playsInline: true, src: fileUrl(file.file_id)});
    element.setAttribute("aria-label", stickerName(file));
    return element;
  }
  element.alt = stickerName(file);
  element.loading = "lazy";
  if (file.is_animated) element.addEventListener("error", () => element.replaceWith(animatedTile(file)));
  element.src = file.is_animated ? `${fileUrl(file.file_id)}/still` : fileUrl(file.file_id);
  return element;
}

// Stands for an animated sticker that the server could not draw.
function animatedTile(file) {
  const tile = make("span", "tile", make("span", "", file.emoji ?? "🎞"), make("small", "", t("animated")));
  tile.setAttribute("role", "img");
  tile.setAttribute("aria-label", stickerName(file));
  return tile;
}

function document_(file) {
  const link = make("a", "document");
  link.href = fileUrl(file.file_id);
  link.download = file.file_name;
  const shown = ["image/png", "image/jpeg", "image/webp"].includes(file.mime_type);
  const icon = make(shown ? "img" : "span", "thumb");
  if (shown) { icon.src = link.href; icon.alt = ""; icon.loading = "lazy"; }
  else icon.textContent = (file.file_name.split(".").pop() || "file").slice(0, 4);
  link.append(icon, make("span", "name", make("b", "", file.file_name), make("small", "", size(file.file_size))));
  return link;
}

function size(bytes) {
  const [unit, count, digits] = bytes < 1 << 20 ? ["KB", Math.max(1, Math.round(bytes / 1024)), 0] : ["MB", bytes / (1 << 20), 1];
  return t(unit, {n: new Intl.NumberFormat(localeNow(), {minimumFractionDigits: digits, maximumFractionDigits: digits}).format(count)});
}

// Nothing of a sticker can be edited but its buttons, which is not worth a word.
const stampText = (message) => `${message.edit_date && !message.sticker ? `${t("edited")} ` : ""}${clock(message)}`;

function stamp(message) {
  const time = make("time", "stamp", stampText(message));
  time.dateTime = new Date(message.date * 1000).toISOString();
  return time;
}

export function summary(message) {
  if (message.text || message.caption) return message.text || message.caption;
  if (message.sticker) return `${message.sticker.emoji ?? ""} ${t("stickerName")}`.trim();
  return message.photo ? t("photo") : message.document?.file_name ?? t("message");
}

function quote(message, acts) {
  const quoted = make("button", "quote", make("b", "", message.from.first_name), make("span", "", summary(message)));
  quoted.type = "button";
  quoted.addEventListener("click", () => acts.jump(message.message_id));
  const still = message.sticker && !message.sticker.is_animated && !message.sticker.is_video;
  if (still || message.photo) {
    const image = make("img");
    image.src = fileUrl((message.sticker ?? message.photo[0]).file_id);
    image.alt = "";
    quoted.prepend(image);
  }
  return quoted;
}

function keyboard(message, rows, acts) {
  return make("div", "keyboard", ...rows.map((row) => make("div", "row", ...row.map((button) => key(message, button, acts)))));
}

// Twemoji draws these signs in a dark grey, which is not seen on a dark button.
const signs = (text) => text.replace(/[➕➖]/gu, (sign) => (sign === "➕" ? "+" : "−"));

function key(message, button, acts) {
  if (button.url) {
    const link = make("a", "key", signs(button.text));
    if (/^https?:\/\//i.test(button.url)) link.href = button.url;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  }
  const element = make("button", "key", signs(button.text));
  element.type = "button";
  const words = button.switch_inline_query_current_chat ?? button.switch_inline_query;
  if (words !== undefined) {
    element.addEventListener("click", () => acts.inline(words));
    return element;
  }
  if (button.copy_text) {
    element.addEventListener("click", () => navigator.clipboard.writeText(button.copy_text.text));
    return element;
  }
  element.addEventListener("click", () => acts.press(message, button, element));
  return element;
}

const REPLY = "m9 7-5 5 5 5m-5-5h10a6 6 0 0 1 6 6v1";
const EDIT = "m4 20 1-5L16 4l4 4L9 19zM14 6l4 4";

function tool(name, path, action) {
  const button = make("button", "icon answer");
  button.type = "button";
  button.setAttribute("aria-label", t(name));
  button.innerHTML = `<svg viewBox="0 0 24 24"><path d="${path}"/></svg>`;
  button.addEventListener("click", action);
  return button;
}
