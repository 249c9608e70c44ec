// The page's own words, in the language of the person's Telegram: Russian, or else English.

const EN = {
  bot: "bot", group: "group, with the bot", busy: "busy…", offline: "not connected", noAnswer: "The playground does not answer.",
  typing: "typing…", upload_photo: "sending a photo…", upload_document: "sending a file…", choose_sticker: "choosing a sticker…",
  who: "Who is chatting", chat: "Chat", more: "More", packs: "Sticker packs", close: "Close", cancel: "Cancel", ok: "OK", send: "Send",
  messages: "Messages", start: "Start", hello: "Send /start, and the bot answers.", emptyGroup: "Nobody has written here yet.",
  newest: "To the newest message", commands: "Commands", message: "Message", attach: "Attach files", reply: "Reply", edit: "Edit",
  editing: "Edit message", edited: "edited", via: "via", sticker: "sticker", photo: "Photo", file: "File", KB: "{n} KB", MB: "{n} MB",
  stickerName: "Sticker", animated: "animated sticker", picture: "Picture", botSays: "The bot says",
  sendOne: "Send a file", sendMany: "Send {n} files", sendAs: "Send as", caption: "Caption", emoji: "Emoji, such as 🦊",
  emojiOf: "Emoji of {name}", captionOf: "Caption of {name}", drop: "Drop files to send them", sending: "Sending…",
  hintPhoto: "A photo is compressed, as everywhere in Telegram: it loses its transparency and fine detail.",
  hintSticker: "A sticker keeps its transparency and can have an emoji. To give it a caption, reply to it.",
  hintDocument: "A file arrives exactly as it is. It can have a caption.",
  whoAreYou: "What is your name?", joinHint: "The playground works like Telegram, but only on this machine. Enter a name and write to the bot.",
  firstName: "Your first name", join: "Join", somebodyNew: "Add a person…",
  newGroup: "New group…", groupHead: "New group", groupTitle: "Name of the group", members: "Members", create: "Create",
  groupHint: "In a group the bot sees only commands, replies to its messages, and what is sent via it.",
  theme: "Switch between light and dark", language: "Language of your Telegram", block: "Block the bot",
  blocked: "The bot is blocked. Write to it to unblock it.", removeBot: "Remove the bot from the group", removed: "The bot is no longer in the group.",
  publish: "Publish a pack…", publishHead: "Publish a pack", publishGo: "Publish",
  publishHint: "A pack that no bot has made. Send its link to the bot, or one of its stickers.", packTitle: "Title of the pack",
  packName: "Name in the link: Latin letters, digits and _", choose: "Choose files",
  noPacks: "No packs yet. Stickers that the bot adds to your pack appear here.", of: "{n} of {most}", open: "Open {title}",
  sendLink: "Send the link", deletePack: "Delete the pack", deleteSure: "Delete for good?", earlier: "Move back", later: "Move forward", remove: "Remove",
  packHint: "Arrow keys choose a sticker, with Shift they move it. Enter sends it, Delete removes it.",
  emptyPack: "The pack is empty.", inline: "Results of the bot", nothing: "Nothing found.",
  nameTaken: "This name is taken. Try another one.", tooBig: "The file is too big for Telegram.", emptyFile: "The file is empty.",
  noPicture: "The file is not a picture that Telegram can read.", badSize: "The picture is too large or too narrow for Telegram.",
  packFull: "A pack has at most 120 stickers.", tooLong: "The text is too long.", noButton: "This button is no longer there.",
  noPack: "There is no such pack.", oldQuery: "These results are too old. Type the words again.",
};

const RU = {
  bot: "бот", group: "группа с ботом", busy: "занят…", offline: "нет связи", noAnswer: "Песочница не отвечает.",
  typing: "печатает…", upload_photo: "отправляет фото…", upload_document: "отправляет файл…", choose_sticker: "выбирает стикер…",
  who: "Кто пишет", chat: "Чат", more: "Ещё", packs: "Наборы стикеров", close: "Закрыть", cancel: "Отмена", ok: "ОК", send: "Отправить",
  messages: "Сообщения", start: "Начать", hello: "Отправь /start, и бот ответит.", emptyGroup: "Здесь ещё никто не писал.",
  newest: "К последнему сообщению", commands: "Команды", message: "Сообщение", attach: "Прикрепить файлы", reply: "Ответить", edit: "Изменить",
  editing: "Изменение сообщения", edited: "изменено", via: "через", sticker: "стикер", photo: "Фото", file: "Файл", KB: "{n} КБ", MB: "{n} МБ",
  stickerName: "Стикер", animated: "анимированный стикер", picture: "Картинка", botSays: "Ответ бота",
  sendOne: "Отправить файл", sendMany: "Отправить файлы: {n}", sendAs: "Как отправить", caption: "Подпись", emoji: "Эмодзи, например 🦊",
  emojiOf: "Эмодзи для {name}", captionOf: "Подпись к {name}", drop: "Отпусти файлы, чтобы отправить", sending: "Отправляю…",
  hintPhoto: "Как и везде в Telegram, фото сжимается: прозрачность и мелкие детали пропадут.",
  hintSticker: "Прозрачность сохранится, можно добавить эмодзи. Чтобы подписать стикер, ответь на него.",
  hintDocument: "Файл дойдёт без изменений. Можно добавить подпись.",
  whoAreYou: "Как тебя зовут?", joinHint: "Песочница работает как Telegram, но только на этом компьютере. Введи имя и напиши боту.",
  firstName: "Твоё имя", join: "Войти", somebodyNew: "Добавить человека…",
  newGroup: "Новая группа…", groupHead: "Новая группа", groupTitle: "Название группы", members: "Участники", create: "Создать",
  groupHint: "В группе бот видит только команды, ответы на свои сообщения и то, что отправлено через него.",
  theme: "Сменить тему: светлая или тёмная", language: "Язык твоего Telegram", block: "Заблокировать бота",
  blocked: "Бот заблокирован. Чтобы разблокировать, напиши ему.", removeBot: "Удалить бота из группы", removed: "Бота больше нет в группе.",
  publish: "Опубликовать набор…", publishHead: "Новый набор", publishGo: "Опубликовать",
  publishHint: "Набор, сделанный без бота. Отправь боту ссылку на него или любой его стикер.", packTitle: "Название набора",
  packName: "Имя в ссылке: латинские буквы, цифры и _", choose: "Выбрать файлы",
  noPacks: "Наборов пока нет. Здесь появятся стикеры, которые бот добавит в твой набор.", of: "{n} из {most}", open: "Открыть «{title}»",
  sendLink: "Отправить ссылку", deletePack: "Удалить набор", deleteSure: "Удалить навсегда?", earlier: "Переместить назад", later: "Переместить вперёд", remove: "Удалить",
  packHint: "Стрелки выбирают стикер, Shift и стрелки переставляют его. Enter — отправить, Delete — удалить.",
  emptyPack: "Набор пуст.", inline: "Результаты бота", nothing: "Ничего не нашлось.",
  nameTaken: "Это имя занято. Попробуй другое.", tooBig: "Файл слишком большой для Telegram.", emptyFile: "Файл пустой.",
  noPicture: "Это не картинка, или Telegram не может её прочитать.", badSize: "Картинка слишком большая или слишком узкая для Telegram.",
  packFull: "В наборе не больше 120 стикеров.", tooLong: "Текст слишком длинный.", noButton: "Этой кнопки больше нет.",
  noPack: "Такого набора нет.", oldQuery: "Эти результаты устарели. Введи слова ещё раз.",
};

// What Telegram's servers say and a person may cause here; its apps have words of their own for it.
const REFUSALS = {
  "sticker set name is already occupied": "nameTaken", "file is too big": "tooBig", "Request Entity Too Large": "tooBig",
  "file must be non-empty": "emptyFile", "IMAGE_PROCESS_FAILED": "noPicture", "wrong file type": "noPicture",
  "PHOTO_INVALID_DIMENSIONS": "badSize", "STICKERS_TOO_MUCH": "packFull", "message caption is too long": "tooLong",
  "message is too long": "tooLong", "there is no such button": "noButton", "STICKERSET_INVALID": "noPack", "QUERY_ID_INVALID": "oldQuery",
};

let words = EN;
let locale = "en";

export function t(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// A refusal of the server in the page's words, or as it is.
export function refusal(text) {
  const known = Object.keys(REFUSALS).find((start) => text.startsWith(start));
  return known ? t(REFUSALS[known]) : text;
}

export const localeNow = () => locale;

// Everything in the page that has words gets those of a language; ``data-t`` is a text, ``data-label``, ``data-hint`` and
// ``data-title`` are the accessible name, the placeholder, and what a browser says of a value that does not fit.
export function speak(code) {
  locale = code === "ru" ? "ru" : "en";
  words = locale === "ru" ? RU : EN;
  document.documentElement.lang = locale;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = t(element.dataset.hint);
  for (const element of document.querySelectorAll("[data-title]")) element.title = t(element.dataset.title);
}
