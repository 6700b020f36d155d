/** The customer's page: an order form, and where each of her orders stands. */

import { render } from '/static/vendor/lit-html/lit-html.js';
import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { drawOrder } from './rows.js';
import { isWaiting, nextNumber, reduce } from '../orders/mine.js';
import { Participant } from '../room/participant.js';
import { byId, copying, fetched, here, renamed, say, session, toast } from '../ui/page.js';

const LOOK_EVERY = 5000; // ms between two looks for a confirmer, while something waits

const form = /** @type {HTMLFormElement} */ (byId('place'));
const list = byId('orders');
list.replaceChildren();

let orders = new Map();
let numberIsOurs = true; // the number in the form is proposed by us, not typed

const me = new Participant(
  { room: here.room, name: here.name, session: session(), types: 'order_confirmed,order_rejected' },
  {
    welcome: (welcome, again) => welcomed(welcome.name, again),
    sent: (id) => change({ what: 'sent', id }),
    accepted: (id, duplicate, told) => change({ what: 'stored', id, now: Date.now(), told }),
    refused: (id, code, message, told) => refused(id, code, message, told),
    event: (event) => heard(event),
    caughtUp: (count) => count > 0 && toast(`Back again: ${count} missed ${count === 1 ? 'event' : 'events'} caught up.`),
    lost: () => restore({ anew: true }),
    notice: (code, message) => toast(message),
    down: (final) => final && toast(final),
  },
);

copying();
form.addEventListener('submit', place);
form.elements.id.addEventListener('input', () => (numberIsOurs = false));
list.addEventListener('toggle', opened, true);
setInterval(look, LOOK_EVERY);
draw();

function change(what) {
  orders = reduce(orders, what);
  draw();
}

function welcomed(name, again) {
  renamed(name);
  if (!again) restore();
  look();
}

/** What the journal knows of our orders, after a reload or when our place in it is lost. */
async function restore({ anew = false } = {}) {
  try {
    const told = await fetched(`/api/rooms/${here.room}/orders?customer=${encodeURIComponent(me.name)}`);
    if (anew) change({ what: 'forgotten' });
    change({ what: 'known', orders: told.orders.filter(({ customer }) => customer === me.name) });
  } catch (error) {
    toast(`Your earlier orders could not be fetched: ${error.message}`);
  }
  propose();
}

function propose() {
  if (numberIsOurs) form.elements.id.value = nextNumber(orders);
}

/** The form judges nothing: that is Bob's work, and worth seeing. */
function place(submit) {
  submit.preventDefault();
  const typed = Object.fromEntries(new FormData(form));
  const data = {
    ...(typed.id !== '' && { id: Number(typed.id) }),
    ...(typed.item !== '' && { item: typed.item }),
    ...(typed.quantity !== '' && { quantity: Number(typed.quantity) }),
    ...(typed.note !== '' && { note: typed.note }),
  };
  const event = me.envelope('order_placed', data);
  change({ what: 'placed', event, now: Date.now() });
  me.send(event);
  form.elements.note.value = '';
  form.elements.quantity.value = 1;
  numberIsOurs = true;
  propose();
  look();
}

function heard(event) {
  const before = orders.get(event.data.event)?.state;
  change({ what: 'heard', event, now: Date.now() });
  const order = orders.get(event.data.event);
  if (order && order.state !== before) say('orders', `Order ${order.number}: ${order.state} by ${order.by}.`);
}

function refused(id, code, message, told) {
  if (orders.has(id)) change({ what: 'refused', id, code, message, told });
  else toast(message);
}

/** Whether anybody confirms; asked only while it matters, for a whole class may be asking. */
async function look() {
  const matters = isWaiting(orders) || !byId('nobody').hidden || orders.size === 0;
  if (document.hidden || !me.joined || !matters) return;
  try {
    const { participants } = await fetched(`/api/rooms/${here.room}`);
    byId('nobody').hidden = participants.some(({ role }) => role === 'confirmer');
  } catch {
    // Not knowing is no news: the header tells when the server is gone.
  }
}

/** The events of an order from before a reload are fetched when somebody wants to see them. */
async function opened({ target }) {
  const order = orders.get(target.dataset.events);
  if (!target.open || !order || order.wire.length > 0) return;
  const told = await Promise.all(
    [order.event, order.answer].filter(Boolean).map((id) => fetched(`/api/rooms/${here.room}/events/${id}`)),
  ).catch(() => []);
  const crossed = told.map(({ event }, i) => ({ way: i === 0 ? 'sent' : 'got', event }));
  orders = new Map(orders).set(order.event, { ...order, wire: crossed });
  draw();
}

function draw() {
  const newest = [...orders.values()].sort((a, b) => b.placed - a.placed);
  byId('empty').hidden = newest.length > 0;
  render(repeat(newest, ({ event }) => event, drawOrder), list);
}
