/**
 * The stage plays the lesson: caption and question, then the answer, then the next scene.
 *
 * Where it stands is the room's (GET …/lesson), so all stages of a room show the same. The host goes on
 * and back; `/stage?scene=4` goes there, `&cut=20` leaves out what a lesson of 20 minutes has no time for.
 */

import { bind } from '../../ui/keys.js';
import { byId, fetched, here, toast } from '../../ui/page.js';
import { hold, play, resume } from '../../room/host.js';

/** Called once, before anything is shown. @param {import('../show.js').Show} show */
export function useLesson(show) {
  const caption = document.querySelector('[data-caption]');
  const usual = caption.textContent;
  const query = new URLSearchParams(location.search);
  let at = null; // what the server told last
  let wanted = here.host ? Number(query.get('scene')) : 0; // asked for in the address, until it was done
  let going = Promise.resolve(); // keys are obeyed one after the other
  let holds = false; // whether blanking the screen paused the room, and it was not paused before

  async function look() {
    const told = await fetched(`/api/rooms/${here.room}/lesson`).catch(() => null);
    if (told === null) return; // a server without lessons
    draw(told);
    const scene = wanted;
    wanted = 0;
    if (scene) go(scene, told.scene === scene && Boolean(told.answer));
  }

  function go(scene, answer) {
    return play(scene, answer).then(draw, (error) => toast(error.message));
  }

  function draw(told) {
    const entered = told.scene !== at?.scene;
    at = told;
    caption.textContent = told.caption ?? usual;
    byId('lesson').hidden = !told.scene;
    byId('lesson-question').textContent = told.question ?? '';
    byId('lesson-answer').textContent = told.answer ?? '';
    document.body.dataset.scene = told.scene;
    document.body.dataset.asks = told.asks ?? '';
    if (entered && told.scene) enter(told);
  }

  /** What a scene sets of this stage; the room was set by the server. */
  function enter({ scene, speed, band }) {
    const radio = document.querySelector(`input[name="speed"][value="${speed}"]`);
    radio.checked = true;
    radio.dispatchEvent(new Event('change', { bubbles: true }));
    const open = document.body.dataset.band;
    if ((band ?? open) && band !== (open ?? null)) document.querySelector(`[data-shows="${band ?? open}"]`).click();
    query.set('scene', scene);
    history.replaceState(null, '', `?${query}`);
  }

  function forward() {
    if (at.scene && !at.answer) return go(at.scene, true);
    return go(scenes().find((scene) => scene > at.scene) ?? 0, false);
  }

  function back() {
    const scene = at.answer ? at.scene : scenes().findLast((one) => one < at.scene);
    return scene && go(scene, false);
  }

  async function blank() {
    const blanks = document.body.toggleAttribute('data-blank');
    if (blanks) holds = !show.state.paused;
    if (holds) await (blanks ? hold() : resume()).catch((error) => toast(error.message));
  }

  const scenes = () => at.cuts[query.get('cut')] ?? Array.from({ length: at.scenes }, (_, index) => index + 1);
  const mayGo = { when: () => here.host && show.live && at !== null };
  bind('n', 'The lesson: go on', () => { going = going.then(forward); }, mayGo);
  bind('b', 'The lesson: back', () => { going = going.then(back); }, mayGo);
  bind('.', 'Look up: pause, and blank the screen; again to go on', blank, mayGo);
  show.addEventListener('begin', look);
  show.addEventListener('records', ({ detail: { records } }) => {
    if (records.some(({ kind }) => kind === 'scene')) look();
  });
}
