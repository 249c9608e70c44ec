// Who is chatting and where; every part of the page reads it.

import {post} from "./http.js";

// ``chat`` is the person's id in the private chat with the bot, else the group's. ``bot`` is its User.
export const here = {person: null, chat: null, bot: null};

export const inGroup = () => here.chat !== here.person;

// A call on the person's side, in the chat that is open.
export const act = (what, fields = {}) =>
  post(`/chat/${here.person}/${what}`, inGroup() ? {...fields, chat: here.chat} : fields);
