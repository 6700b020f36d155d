/**
 * What the stage loads when it is first asked for, so that the picture is there sooner: what the host does, and
 * what tells of the past (why, the diagram, back in time), and what the class is asked. The keys and clicks that
 * ask for it are here.
 */

import { bind } from '../ui/keys.js';
import { byId, dress, here, toast } from '../ui/page.js';
import { askForThePast } from './bands.js';

/**
 * Called once, before anything is shown. Returns what to call with the band that was opened, or null.
 * @param {import('./show.js').Show} show
 * @param {(way: object|null) => void} drawWay  on the picture, of the event that is explained; see tools/explain.js
 */
export function loadLater(show, drawWay) {
  const story = later(['diagram/diagram.css', 'diagram/svg.css', '../event/panel.css'], async () => {
    const [{ tell }, { History }] = await Promise.all([import('./story.js'), import('./past/history.js')]);
    return tell(show, new History(here.room, show), drawWay);
  });
  const tools = later(['tools/tools.css', 'tools/faults.css'], async () => (await import('./tools/tools.js')).useTools(show));
  const questions = later([], async () => (await import('./ask/ask.js')).useQuestions(show));
  askForThePast(show, (what) => story.ask(what));
  show.addEventListener('begin', ({ detail: { state } }) => {
    if (state.total) story.ask(); // it counts the coffees that were made before we came
  });
  actAsHost(show, tools);
  askTheClass(show, questions);
  return (band) => {
    if (band === 'tools') tools.ask();
    if (band === 'ask') questions.ask();
    if (band === 'diagram') story.ask(({ draw }) => draw());
    else if (story.loading) story.ask(({ explain }) => explain.close()); // one band at a time; beside the diagram there is room for why
  };
}

/** What is loaded with its styles when it is first asked to do something; `loading` once it was. */
function later(styles, use) {
  return {
    loading: null,
    async ask(what = () => {}) {
      this.loading ??= Promise.all([use(), ...styles.map((path) => dress(`/static/stage/${path}`))]);
      const found = await this.loading.catch(() => null);
      if (found) return what(found[0]);
      this.loading = null;
      return toast('This could not be loaded: the server is away. Try again once it is back.');
    },
  };
}

function actAsHost(show, tools) {
  const does = (what) => () => tools.ask(what);
  const mayAct = () => here.host && show.live && show.state !== null;
  bind(' ', 'Pause: events stay at the broker; then let one go', does(({ act }) => act(show.state.paused ? 'step' : 'hold')), { when: mayAct });
  bind('r', 'Resume: let all go', does(({ act }) => act('resume')), { when: () => mayAct() && show.state.paused });
  bind('?', 'This help', does(({ open }) => open('stage-help')));
  bind('w', 'People: mute, remove, lock the room', does(({ open }) => open('stage-people')), { when: () => here.host });
  const goHome = does(async () => (await import('./tools/takehome.js')).takeHome()); // at the end of a lesson
  bind('h', 'Take the lesson home, then erase the room', goHome, { when: () => here.host });
  byId('stage-home').addEventListener('click', goHome);
  bind('f', 'Faults on one participant; again: on the next', does(({ faults }) => faults.next()), { when: mayAct });
  bind('x', 'The wire of the participant whose menu is open; else of one you choose', () => {
    const menu = document.querySelector('#stage-faults:popover-open #stage-faults-wire');
    window.open(menu?.href ?? `/wire?${new URLSearchParams({ room: here.room })}`);
  }, { when: () => here.host });
  if (here.host) document.documentElement.dataset.faults = '';
  document.addEventListener('click', ({ target, detail }) => {
    const button = target.closest?.('[data-does], [data-opens], [data-closes]');
    const figure = target.closest?.('.stage-figure[data-participant]');
    if (button && !button.disabled) {
      if (detail) button.blur(); // by mouse: the space bar is for letting events go, not for this again
      const asked = { ...button.dataset };
      tools.ask(({ press }) => press(asked, button.closest('dialog')));
    } else if (figure && mayAct() && !target.closest('button, a')) {
      tools.ask(({ faults }) => faults.open(figure));
    }
  });
  show.addEventListener('shown', ({ detail: { records } }) => {
    const faults = records.filter(({ kind }) => kind === 'fault');
    if (here.host && faults.length) tools.ask((used) => used.faults.tell(faults));
  });
}

function askTheClass(show, questions) {
  show.addEventListener('begin', ({ detail: { state } }) => state.paused && questions.ask());
  show.addEventListener('records', ({ detail: { records } }) => records.some(({ kind }) => kind === 'asked') && questions.ask());
  bind('a', 'Ask the class what will happen; again: the next step', () => {
    if (document.body.dataset.band === 'ask') questions.ask(({ next }) => next());
    else document.querySelector('[data-shows="ask"]').click();
  }, { when: () => here.host && show.live && show.state !== null });
}
