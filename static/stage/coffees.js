// A confirmation is a coffee made; each further one for the same order is a coffee wasted. Pure.

import { modeOf } from '../room/modes.js';

const REMEMBERED = 1000; // orders of which we know how many coffees were made

/** modes: Map mode → {made, wasted}; orders: Map key → {number, made, answers: [id]}; wasted: the order that was made too often last, or null */
export const none = () => ({ modes: new Map(), orders: new Map(), wasted: null });

/** The coffees after a confirmation, however often it is told. `state`: the room, which tells how the order was handed on. */
export function confirmed(coffees, { id, data }, state) {
  const placing = state.events.get(data.event);
  const number = placing?.event.data.id ?? data.id;
  const key = JSON.stringify([placing?.event.source ?? data.customer, number]);
  const { answers = [] } = coffees.orders.get(key) ?? {};
  if (answers.includes(id)) return coffees;
  const mode = placing?.mode ?? modeOf(state.modes, 'order_placed');
  const { made, wasted } = coffees.modes.get(mode) ?? { made: 0, wasted: 0 };
  const order = { number, made: answers.length + 1, answers: [...answers, id] };
  const again = order.made > 1;
  const orders = new Map(coffees.orders).set(key, order);
  if (orders.size > REMEMBERED) orders.delete(orders.keys().next().value);
  const modes = new Map(coffees.modes).set(mode, { made: made + 1, wasted: wasted + Number(again) });
  return { modes, orders, wasted: again ? order : coffees.wasted };
}
