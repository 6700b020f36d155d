/**
 * Single keys that do something, for a page that has many of them.
 *
 * They can be switched off (WCAG 2.1.4): who dictates to the computer would otherwise press them by
 * talking. The choice holds for this browser. Keys do nothing while somebody types, or while a dialog
 * is open.
 */

const OFF = 'orders single keys off';
const TYPING = 'input:not([type="radio"], [type="checkbox"], [type="range"], [type="button"]), select, textarea, [contenteditable]';
/** What a focused element wants for itself. */
const OWN = [
  ['button, summary, a, input[type="checkbox"]', [' ', 'Enter']],
  ['input[type="radio"]', [' ', 'ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']],
  ['input[type="range"]', ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown']],
];

const bound = [];

/**
 * Let a key do something. Several may want the same key at different times.
 * @param {string} key     as KeyboardEvent.key has it: '1', ' ', 'ArrowLeft', '?'
 * @param {string} words   what it does, for the help
 * @param {() => void} action
 * @param {{when?: () => boolean}} options  when: whether it does anything just now
 */
export function bind(key, words, action, { when = () => true } = {}) {
  bound.push({ key, words, action, when });
}

/** All keys and what they do, in the order they were bound. */
export const keys = () => [...bound];

/** Are single keys in use? */
export function areOn() {
  try {
    return localStorage.getItem(OFF) === null;
  } catch {
    return true; // storage may be forbidden, for instance in a private window
  }
}

export function turn(on) {
  try {
    if (on) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, 'true');
  } catch {
    // then the choice cannot be kept
  }
}

document.addEventListener('keydown', (pressed) => {
  if (pressed.defaultPrevented || (pressed.repeat && !pressed.key.startsWith('Arrow')) || !areOn()) return;
  if (pressed.altKey || pressed.ctrlKey || pressed.metaKey || document.querySelector('dialog:modal')) return;
  const on = pressed.target;
  if (on.matches?.(TYPING) || OWN.some(([selector, own]) => on.matches?.(selector) && own.includes(pressed.key))) return;
  const wanted = bound.find(({ key, when }) => key === pressed.key && when());
  if (!wanted) return;
  pressed.preventDefault();
  wanted.action();
});
