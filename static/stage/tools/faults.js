/** Faults on the messages of one participant, in two clicks: its figure, and the fault. The host's. */

import { bind } from '../../ui/keys.js';
import { byId, here, toast } from '../../ui/page.js';
import { liftFaults, setFault } from '../../room/host.js';

const GAP = 12; // px between a figure and what is beside it

/** Called once. @param {import('../show.js').Show} show */
export function useFaults(show) {
  if (!here.host) return;
  const panel = byId('stage-faults');
  const mayAct = () => show.live && show.state !== null;
  document.documentElement.dataset.faults = '';

  function open(figure) {
    const name = figure.dataset.participant;
    byId('stage-faults-name').textContent = name;
    byId('stage-faults-wire').href = `/wire?${new URLSearchParams({ room: here.room, name })}`;
    panel.querySelector('[data-fault="die_before_ack"]').disabled = figure.dataset.bot === undefined;
    panel.hidePopover();
    panel.showPopover();
    const at = figure.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = panel;
    const left = at.right + GAP + width > innerWidth ? at.left - GAP - width : at.right + GAP;
    panel.style.left = `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`;
    panel.style.top = `${Math.max(GAP, Math.min(at.top, innerHeight - height - GAP))}px`;
    panel.querySelector('button:enabled').focus();
  }

  async function act(fault) {
    const name = byId('stage-faults-name').textContent;
    panel.hidePopover();
    try {
      if (fault) await setFault(name, fault, Number(byId('stage-faults-seconds').value));
      else await liftFaults(name);
    } catch (error) {
      toast(error.message);
    }
  }

  document.addEventListener('click', ({ target }) => {
    const button = target.closest?.('#stage-faults [data-fault]');
    if (button) act(button.dataset.fault);
    const figure = target.closest?.('.stage-figure[data-participant]');
    if (figure && mayAct() && !target.closest('button, a')) open(figure);
  });
  show.addEventListener('shown', ({ detail: { records } }) => {
    for (const { kind, name, step, words } of records) {
      if (kind === 'fault' && step !== 'happened') toast(name === null ? words : `${name}: ${words}`);
    }
  });

  bind('x', 'The wire of the participant whose menu is open; else of one you choose', () => {
    const isOpen = panel.matches(':popover-open');
    window.open(isOpen ? byId('stage-faults-wire').href : `/wire?${new URLSearchParams({ room: here.room })}`);
  });

  // By keyboard: the participants in turn.
  let turn = 0;
  bind('f', 'Faults on one participant; again: on the next', () => {
    const figures = [...document.querySelectorAll('.stage-figure[data-participant]')];
    if (figures.length) open(figures[turn++ % figures.length]);
  }, { when: mayAct });
}
