/**
 * Bands below the picture, which they make smaller and never cover: one at a time, opened and closed by
 * a key, by whatever has `data-shows`, and closed by Escape. `body[data-band]` tells which is open;
 * `?band=diagram` opens one with the page. Also: what asks for the past, and what hides while the pointer rests.
 */

import { bind } from '../ui/keys.js';

const BANDS = new Map(Object.entries({ tools: ['t', 'The tools'], diagram: ['g', 'The diagram, and back in time'], table: ['v', 'The table of types'], ask: [] }));
const RESTS = 3000; // ms until a pointer that rests hides
const STEADY = 8; // px that a pointer may move between pressing and letting go

/** Wire the bands up. `changed` is called with the one that is open then, or null. */
export function useBands(changed) {
  for (const [band, [key, words]] of BANDS) if (key) bind(key, words, () => show(band)); // of `ask` it does more
  document.addEventListener('click', ({ target }) => {
    const button = target.closest('[data-shows]');
    if (button) show(button.dataset.shows);
  });
  document.addEventListener('keydown', ({ key, defaultPrevented }) => {
    if (key === 'Escape' && !defaultPrevented && document.body.dataset.band && document.body.dataset.opened === undefined && !document.querySelector('dialog:modal')) show(null);
  });

  function show(band) {
    const opened = document.body.dataset.band === band ? null : band;
    if (opened) document.body.dataset.band = opened;
    else delete document.body.dataset.band;
    for (const button of document.querySelectorAll('[data-shows][aria-expanded]')) {
      button.setAttribute('aria-expanded', button.dataset.shows === opened);
    }
    changed(opened);
  }

  const wanted = new URLSearchParams(location.search).get('band');
  if (BANDS.has(wanted)) show(wanted);
  hideAtRest();
}

/** The keys and clicks that ask for what tells of the past; `ask` is called with what is to be done with it. */
export function askForThePast(show, ask) {
  const does = (what) => () => ask(what);
  bind('e', 'Explain the newest event', does(({ explain }) => explain.open(show.shown.last)), { when: () => Boolean(show.shown?.last) });
  bind('ArrowLeft', 'One step back in time', does(({ time }) => time.step(-1)));
  bind('ArrowRight', 'One step on', does(({ time }) => time.step(1)), { when: () => !show.live });
  bind('p', 'Play what happened, or stop', does(({ time }) => time.play()));
  bind('l', 'Back to live', does(({ time }) => time.live()), { when: () => !show.live });
  // While events flow, another one may be under the pointer when it is let go.
  let pressed = null;
  document.addEventListener('pointerdown', ({ target, clientX: x, clientY: y }) => { pressed = { on: target.closest?.('[data-event]'), x, y }; });
  document.addEventListener('click', (click) => {
    if (click.ctrlKey || click.metaKey || click.shiftKey) return; // a link into another window
    const stays = click.detail && pressed && Math.hypot(click.clientX - pressed.x, click.clientY - pressed.y) < STEADY;
    const on = stays ? pressed.on : click.target.closest?.('[data-event]');
    const id = on?.dataset.event;
    if (!id || on.closest('#stage-explain')) return;
    click.preventDefault();
    ask(({ explain }) => explain.open(id, click.detail ? document.body : on)); // by mouse: the keys are the stage's again
  });
}

/** `body[data-rests]` while the pointer does; a finger has none. */
function hideAtRest() {
  if (!matchMedia('(hover: hover)').matches) return;
  let resting = null;
  const moved = () => {
    delete document.body.dataset.rests;
    clearTimeout(resting);
    resting = setTimeout(() => { document.body.dataset.rests = ''; }, RESTS);
  };
  for (const type of ['pointermove', 'pointerdown']) document.addEventListener(type, moved, { passive: true });
  moved();
}
