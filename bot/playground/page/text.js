// A text with Telegram's entities as DOM nodes. Nothing is ever parsed as HTML.

const ELEMENTS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre", spoiler: "span",
  blockquote: "q", expandable_blockquote: "q", text_link: "a", url: "a", bot_command: "a", hashtag: "em", mention: "em",
};

// ``onCommand`` gets the command that was clicked. Offsets count UTF-16 units, as strings do here.
export function richText(text, entities = [], onCommand = () => {}) {
  const known = entities.filter((entity) => ELEMENTS[entity.type]);
  const edges = [...new Set([0, text.length, ...known.flatMap((e) => [e.offset, e.offset + e.length])])]
    .filter((edge) => edge >= 0 && edge <= text.length)
    .sort((a, b) => a - b);
  const fragment = document.createDocumentFragment();
  for (let i = 0; i + 1 < edges.length; i++) {
    const [start, end] = [edges[i], edges[i + 1]];
    const around = known.filter((e) => e.offset <= start && end <= e.offset + e.length);
    const isBlock = (e) => ["Q", "PRE"].includes(ELEMENTS[e.type].toUpperCase());
    const afterBlock = text[start] === "\n" && known.some((e) => isBlock(e) && e.offset + e.length === start);
    let node = document.createTextNode(text.slice(start + (afterBlock ? 1 : 0), end)); // a block ends its line itself
    for (const entity of around.reverse()) node = wrapped(node, entity, text, onCommand);
    fragment.append(node);
  }
  return fragment;
}

function wrapped(node, entity, text, onCommand) {
  const element = document.createElement(ELEMENTS[entity.type]);
  const own = text.slice(entity.offset, entity.offset + entity.length);
  element.className = entity.type;
  if (entity.type === "bot_command") {
    element.href = "#";
    element.addEventListener("click", (event) => { event.preventDefault(); onCommand(own); });
  } else if (element.tagName === "A") {
    link(element, entity.url || own);
  } else if (entity.type === "spoiler") {
    element.tabIndex = 0;
    element.setAttribute("role", "button");
    element.addEventListener("click", () => element.classList.toggle("shown"));
    element.addEventListener("keydown", (event) => { if (event.key === "Enter") element.classList.toggle("shown"); });
  }
  element.append(node);
  return element;
}

function link(element, address) {
  let url;
  try { url = new URL(address); } catch { return; }
  if (!["http:", "https:"].includes(url.protocol)) return;
  element.href = url.href;
  element.target = "_blank";
  element.rel = "noopener noreferrer";
}
