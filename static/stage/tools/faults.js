/** Faults on the messages of one participant, in two clicks: its figure, and the fault. The host's. */

import { byId, here, toast } from '../../ui/page.js';
import { liftFaults, setFault } from '../../room/host.js';

const GAP = 12; // px between a figure and what is beside it

/**
 * Called once. Returns {open, next, tell}: open the faults on a figure, on the next one (by keyboard, the
 * participants in turn), and tell of records of faults.
 */
export function useFaults() {
  const panel = byId('stage-faults');
  let turn = 0;

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

  function next() {
    const figures = [...document.querySelectorAll('.stage-figure[data-participant]')];
    if (figures.length) open(figures[turn++ % figures.length]);
  }

  function tell(records) {
    for (const { name, step, words } of records) {
      if (step !== 'happened') toast(name === null ? words : `${name}: ${words}`);
    }
  }

  panel.addEventListener('click', ({ target }) => {
    const button = target.closest('[data-fault]');
    if (button) act(button.dataset.fault);
  });
  return { open, next, tell };
}
