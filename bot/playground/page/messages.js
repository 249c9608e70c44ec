// One message, or the photos of one album, as an element of the log.

import {fileUrl} from "./http.js";
import {richText} from "./text.js";

export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

const clock = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit"});
const day = new Intl.DateTimeFormat(undefined, {day: "numeric", month: "long"});
export const dayOf = (message) => day.format(message.date * 1000);

// ``acts``: press(message, button, element), reply(message), command(text), view(url), jump(id), and
// now(message), which is that message after its last edit
export function messageElement(message, acts) {
  const item = make("li", `message ${message.from.is_bot ? "theirs" : "mine"}`);
  item.dataset.id = message.message_id;
  const bubble = make("div", message.sticker ? "bare" : "bubble");
  if (message.reply_to_message) bubble.append(quote(acts.now(message.reply_to_message), acts));
  bubble.append(...media(message, acts));
  const text = message.text ?? message.caption;
  if (text) bubble.append(textElement(message, text, acts));
  bubble.append(stamp(message));
  const body = make("div", "body", bubble);
  const rows = message.reply_markup?.inline_keyboard;
  if (rows) body.append(keyboard(message, rows, acts));
  item.append(body, replyButton(message, acts));
  return item;
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
  image.alt = className;
  image.addEventListener("click", () => acts.view(image.src));
  return image;
}

function photo(sizes, acts) {
  const file = sizes.at(-1);
  return picture(file, "photo", file.width > file.height ? 480 : 340, acts);  // sheets are wide and full of detail
}

function sticker(file, acts) {
  const image = picture(file, "sticker", 200, acts);
  image.alt = `sticker ${file.emoji ?? ""}`.trim();
  image.title = file.emoji ?? "";
  return image;
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

const size = (bytes) => (bytes < 1 << 20 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / (1 << 20)).toFixed(1)} MB`);

// Nothing of a sticker can be edited but its buttons, which is not worth a word.
const stampText = (message) => `${message.edit_date && !message.sticker ? "edited " : ""}${clock.format(message.date * 1000)}`;

function stamp(message) {
  const time = make("time", "stamp", stampText(message));
  time.dateTime = new Date(message.date * 1000).toISOString();
  return time;
}

export function summary(message) {
  if (message.text || message.caption) return message.text || message.caption;
  if (message.sticker) return `${message.sticker.emoji ?? ""} Sticker`.trim();
  return message.photo ? "Photo" : message.document?.file_name ?? "Message";
}

function quote(message, acts) {
  const quoted = make("button", "quote", make("b", "", message.from.first_name), make("span", "", summary(message)));
  quoted.type = "button";
  quoted.addEventListener("click", () => acts.jump(message.message_id));
  if (message.sticker || message.photo) {
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

function key(message, button, acts) {
  if (button.url) {
    const link = make("a", "key", button.text);
    if (/^https?:\/\//i.test(button.url)) link.href = button.url;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  }
  const element = make("button", "key", button.text);
  element.type = "button";
  element.addEventListener("click", () => acts.press(message, button, element));
  return element;
}

function replyButton(message, acts) {
  const button = make("button", "icon answer");
  button.type = "button";
  button.setAttribute("aria-label", "Reply");
  button.innerHTML = '<svg viewBox="0 0 24 24"><path d="m9 7-5 5 5 5m-5-5h10a6 6 0 0 1 6 6v1"/></svg>';
  button.addEventListener("click", () => acts.reply(message));
  return button;
}
