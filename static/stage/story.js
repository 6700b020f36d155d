/** What the stage tells beside the picture: why, in which order, and how it was before. */

import { byId, toast } from '../ui/page.js';
import { ORDERS } from './past/past.js';
import { Time } from './past/time.js';
import { Explain } from './tools/explain.js';

/**
 * Called once. Returns what does so: {explain, time, draw}, `draw` for the diagram, if its band is open.
 * @param {import('./show.js').Show} show
 * @param {import('./past/history.js').History} history
 * @param {(way: object|null) => void} drawWay  on the picture, of the event that is explained; see tools/explain.js
 */
export function tell(show, history, drawWay) {
  const time = new Time(show, history);
  const explain = new Explain(show, history);
  let asked = null;

  /** The diagram comes when it is first asked for. */
  async function load() {
    const [{ Diagram }, { drawOrders }] = await Promise.all([import('./diagram/diagram.js'), import('./past/orders.js')]);
    return { diagram: new Diagram(explain), drawOrders };
  }

  async function draw() {
    if (document.body.dataset.band !== 'diagram') return;
    asked ??= load();
    const { diagram, drawOrders } = await asked;
    if (!history.past) return;
    diagram.show(history.past, time.count);
    const { orders } = history.past.at(time.count ?? history.past.count);
    drawOrders(byId('diagram-orders'), orders, !history.earlier && orders.size < ORDERS);
  }

  history.addEventListener('reread', () => {
    if (history.past) show.count(history.past.end.state.coffees); // the journal tells the mode of each
    draw();
  });
  history.addEventListener('more', () => show.live && draw());
  time.addEventListener('moved', draw);
  const asking = new URLSearchParams(location.search);
  if (asking.get('check')) history.addEventListener('reread', () => showCheck(asking.get('check'), asking.get('event')), { once: true });

  /** How it was when a check ended, with the event that it ended at: where a failure links to. */
  async function showCheck(check, event) {
    const end = () => history.past.records.findLastIndex((record) => record.check === check);
    if (end() < 0) await history.reach();
    if (end() < 0) {
      toast('The room remembers nothing of that check.');
      return;
    }
    time.go(end() + 1);
    byId('stage-diagram-band').scrollIntoView();
    await draw();
    if (event && matchMedia('(min-width: 60rem)').matches) explain.open(event); // else it would cover the diagram
  }

  explain.addEventListener('way', () => drawWay(explain.way));
  return { explain, time, draw };
}
