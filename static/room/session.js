/** Who this tab is in its room: the name that the broker gave it, and a secret by which it is known again. */

import { byId, here } from '../ui/page.js';
import { uuid } from './ids.js';

/** Somebody of that name may be here already, so the broker gives us another: a reload keeps it. */
export function renamed(name) {
  const key = sessionKey();
  here.name = name;
  byId('me').textContent = name;
  const url = new URL(location.href);
  url.searchParams.set('name', name);
  history.replaceState(null, '', url);
  remember(sessionKey(), recall(key));
}

/** A secret of this tab, by which the broker knows us again after a reload; null: none can be kept. */
export function session() {
  const key = sessionKey();
  return recall(key) ?? remember(key, uuid());
}

function sessionKey() {
  return `orders ${document.body.dataset.page} ${here.room} ${here.name}`;
}

function recall(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null; // storage may be forbidden, for instance in a private window
  }
}

function remember(key, value) {
  try {
    if (value !== null) sessionStorage.setItem(key, value);
    return value;
  } catch {
    return null;
  }
}
