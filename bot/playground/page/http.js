// Talks to the playground's people side.

import {refusal} from "./words.js";

export class ChatError extends Error {}

async function read(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ChatError(refusal(body.error || `HTTP ${response.status}`));
  return body;
}

export const get = async (path) => read(await fetch(path));

export async function post(path, fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return read(await fetch(path, {method: "POST", body: form}));
}

export const fileUrl = (id) => `/chat/files/${encodeURIComponent(id)}`;
