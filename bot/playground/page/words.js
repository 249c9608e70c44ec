// The page's own words, in the language of the person's Telegram: Russian, or else English.

const EN = {
  bot: "bot", group: "group, with the bot", busy: "busy…", offline: "not connected", noAnswer: "The playground does not answer.",
  typing: "typing…", upload_photo: "sending a photo…", upload_document: "sending a file…", choose_sticker: "choosing a sticker…",
  who: "Who is chatting", chat: "Chat", more: "More", packs: "Sticker packs", close: "Close", cancel: "Cancel", ok: "OK", send: "Send",
  messages: "Messages", start: "Start", hello: "Say hello: the bot answers to /start.", emptyGroup: "Nobody has written here yet.",
  newest: "To the newest message", commands: "Commands", message: "Message", attach: "Attach files", reply: "Reply", edit: "Edit",
  unreply: "Do not reply", uneditName: "Edit message", edited: "edited", via: "via", sticker: "sticker", photo: "Photo", file: "File",
  stickerName: "Sticker", moving: "moving sticker", picture: "Picture", botSays: "The bot says",
  sendOne: "Send a file", sendMany: "Send {n} files", sendAs: "Send as", caption: "Caption", emoji: "Emoji, such as 🦊",
  emojiOf: "Emoji of {name}", captionOf: "Caption of {name}", drop: "Drop files to send them", sending: "Sending…",
  hintPhoto: "A photo loses its transparency and fine detail, as everywhere in Telegram.",
  hintSticker: "A sticker keeps its transparency and can have an emoji. Captions come as a reply.",
  hintDocument: "A file arrives exactly as it is, with a caption.",
  whoAreYou: "Who are you?", joinHint: "The playground is Telegram without Telegram: pick a name and talk to the bot.",
  firstName: "Your first name", speaks: "Your Telegram speaks", join: "Join", somebodyNew: "Somebody new…",
  newGroup: "New group…", groupTitle: "Name of the group", members: "Who is in it", create: "Create",
  groupHint: "In a group the bot sees commands, replies to it, and what is sent by way of it. It does not see other messages.",
  theme: "Light or dark", language: "Language of your Telegram", publish: "Publish a pack…", block: "Block the bot",
  blocked: "The bot is blocked until you write to it again.", removeBot: "Remove the bot from the group", removed: "The bot is no longer in the group.",
  publishHint: "A pack that no bot has made. Send its link to the bot, or one of its stickers.", packTitle: "Title of the pack",
  packName: "Name in the link: letters, digits, _", choose: "Choose files", published: "Published. Its link is ready to send.",
  noPacks: "No packs yet. Stickers that the bot adds to your pack appear here.", of: "{n} of {most}", open: "Open {title}",
  sendLink: "Send the link", deletePack: "Delete the pack", deleteSure: "Delete for good?", earlier: "Earlier", later: "Later", remove: "Remove",
  packHint: "Arrow keys choose a sticker, with Shift they move it. Enter sends it, Delete removes it.",
  emptyPack: "The pack is empty.", inline: "Results of the bot", nothing: "Nothing found.", noPack: "There is no such pack.",
};

const RU = {
  bot: "бот", group: "группа с ботом", busy: "занят…", offline: "нет связи", noAnswer: "Песочница не отвечает.",
  typing: "печатает…", upload_photo: "отправляет фото…", upload_document: "отправляет файл…", choose_sticker: "выбирает стикер…",
  who: "Кто пишет", chat: "Чат", more: "Ещё", packs: "Наборы стикеров", close: "Закрыть", cancel: "Отмена", ok: "ОК", send: "Отправить",
  messages: "Сообщения", start: "Начать", hello: "Поздоровайтесь: бот отвечает на /start.", emptyGroup: "Здесь ещё никто не писал.",
  newest: "К последнему сообщению", commands: "Команды", message: "Сообщение", attach: "Прикрепить файлы", reply: "Ответить", edit: "Изменить",
  unreply: "Не отвечать", uneditName: "Изменить сообщение", edited: "изменено", via: "через", sticker: "стикер", photo: "Фото", file: "Файл",
  stickerName: "Стикер", moving: "движущийся стикер", picture: "Картинка", botSays: "Ответ бота",
  sendOne: "Отправить файл", sendMany: "Отправить файлы: {n}", sendAs: "Как отправить", caption: "Подпись", emoji: "Эмодзи, например 🦊",
  emojiOf: "Эмодзи для {name}", captionOf: "Подпись к {name}", drop: "Отпустите файлы, чтобы отправить", sending: "Отправляю…",
  hintPhoto: "Фото теряет прозрачность и мелкие детали, как везде в Telegram.",
  hintSticker: "Стикер остаётся прозрачным, и у него может быть эмодзи. Подпись присылают ответом.",
  hintDocument: "Файл приходит без изменений, с подписью.",
  whoAreYou: "Кто вы?", joinHint: "Песочница — это Telegram без Telegram: назовите себя и пишите боту.",
  firstName: "Ваше имя", speaks: "Язык вашего Telegram", join: "Войти", somebodyNew: "Новый человек…",
  newGroup: "Новая группа…", groupTitle: "Название группы", members: "Участники", create: "Создать",
  groupHint: "В группе бот видит команды, ответы ему и то, что отправлено через него. Других сообщений он не видит.",
  theme: "Светлая или тёмная тема", language: "Язык вашего Telegram", publish: "Опубликовать набор…", block: "Заблокировать бота",
  blocked: "Бот заблокирован, пока вы ему снова не напишете.", removeBot: "Удалить бота из группы", removed: "Бота больше нет в группе.",
  publishHint: "Набор, который сделал не бот. Отправьте боту ссылку на него или один из стикеров.", packTitle: "Название набора",
  packName: "Имя для ссылки: латиница, цифры, _", choose: "Выбрать файлы", published: "Опубликовано. Ссылку можно отправить.",
  noPacks: "Наборов пока нет. Здесь появятся стикеры, которые бот добавит в ваш набор.", of: "{n} из {most}", open: "Открыть {title}",
  sendLink: "Отправить ссылку", deletePack: "Удалить набор", deleteSure: "Точно удалить?", earlier: "Раньше", later: "Позже", remove: "Убрать",
  packHint: "Стрелки выбирают стикер, с Shift — переставляют. Enter отправляет, Delete убирает.",
  emptyPack: "Набор пуст.", inline: "Результаты бота", nothing: "Ничего не нашлось.", noPack: "Такого набора нет.",
};

let words = EN;
let locale = "en";

export function t(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const localeNow = () => locale;

// Everything in the page that has words gets those of a language; ``data-t`` is a text, ``data-label`` and ``data-hint``
// are the accessible name and the placeholder.
export function speak(code) {
  locale = code === "ru" ? "ru" : "en";
  words = locale === "ru" ? RU : EN;
  document.documentElement.lang = locale;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = t(element.dataset.hint);
}
