/** What the stage tells beside the picture: why, in which order, and how it was before. */

import { byId, here } from '../ui/page.js';
import { History } from './past/history.js';
import { ORDERS } from './past/past.js';
import { Time } from './past/time.js';
import { Explain } from './tools/explain.js';

/**
 * Called once. Returns what does so: {explain, time, draw}, `draw` for the diagram, if its band is open.
 * @param {import('./show.js').Show} show
 * @param {(way: object|null) => void} drawWay  see later.js
 */
export function tell(show, drawWay) {
  const history = new History(here.room, show);
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
  explain.addEventListener('way', () => drawWay(explain.way));
  return { explain, time, draw };
}
