/** The customer's page: an order form, and where each of her orders stands. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { render } from '/static/vendor/lit-html/lit-html.js';
import { orderNumber } from '../orders/book.js';
import { MyOrders } from '../orders/mine.js';
import { now } from '../room/connection.js';
import { Participant, renamed, session } from '../room/participant.js';
import { byId, copying, fetched, here, say, toast } from '../ui/page.js';
import { count } from '../ui/words.js';
import { drawOrder } from './rows.js';

const LOOK_EVERY = 5000; // ms between two looks for a confirmer, while something waits

const form = /** @type {HTMLFormElement} */ (byId('place'));
const list = byId('orders');
list.replaceChildren();

const orders = new MyOrders();
let latest = null; // the order that was placed last on this page
let numberIsOurs = true; // the number in the form is proposed by us, not typed

const me = new Participant(
  { room: here.room, name: here.name, session: session(), types: 'order_confirmed,order_rejected' },
  {
    welcome: (welcome, again) => welcomed(welcome.name, again),
    sent: (id) => change(() => orders.sent(id)),
    accepted: (id, accepted) => stored(id, accepted),
    refused: (id, error) => refused(id, error),
    event: (event) => heard(event),
    caughtUp: (missed) => missed > 0 && toast(`Back again: ${count(missed, 'missed event')} caught up.`),
    lost: () => restore({ lost: true }),
    notice: (code, message) => toast(message),
  },
);

copying();
form.addEventListener('submit', place);
form.elements.id.addEventListener('input', () => (numberIsOurs = false));
list.addEventListener('toggle', opened, true);
setInterval(() => !document.hidden && (orders.isWaiting || !byId('nobody').hidden || orders.isEmpty) && look(), LOOK_EVERY);
draw();

function change(how) {
  const changed = how();
  draw();
  return changed;
}

function welcomed(name, again) {
  renamed(name);
  if (!again) restore();
  look();
}

/** What the journal knows of our orders, after a reload or when our place in it is lost. */
async function restore({ lost = false } = {}) {
  try {
    const known = await fetched(`/api/rooms/${here.room}/orders?customer=${encodeURIComponent(me.name)}`);
    if (lost) orders.forget();
    change(() => orders.learn(known.orders.filter(({ customer }) => customer === me.name)));
  } catch (error) {
    toast(`Your earlier orders could not be fetched: ${error.message}`);
  }
  propose();
}

function propose() {
  if (numberIsOurs) form.elements.id.value = orders.nextNumber;
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
  latest = event;
  change(() => orders.place(event, now()));
  list.firstElementChild.scrollIntoView({ block: 'nearest' }); // on a phone it would be out of sight
  if (!me.send(event)) say('orders', `Order ${number(event)}: not sent yet.`);
  form.elements.note.value = '';
  form.elements.quantity.value = 1;
  numberIsOurs = true;
  propose();
  look();
}

/** Sends a refused order once more, under its id. */
function again(id) {
  const event = orders.again(id, me.name);
  latest = event;
  me.send(event);
  draw();
}

/** Under the button, too: on a phone the list is out of sight. */
function stored(id, accepted) {
  change(() => orders.stored(id, accepted, Number(accepted.created)));
  if (id === latest?.id) say('orders', `Order ${number(latest)}: stored. It waits for Bob.`);
}

function number({ id, data }) {
  return orderNumber(data.id, id);
}

function heard(event) {
  const order = change(() => orders.heard(event, now()));
  if (order?.answer === event.id) say('orders', `Order ${order.number}: ${order.state} by ${order.confirmer}.`);
}

function refused(id, error) {
  if (!orders.has(id)) return toast(error.data.message);
  change(() => orders.refused(id, error));
  return say('orders', `Refused: ${error.data.message}`);
}

/** Whether anybody confirms, and how the room stands; for a whole class asks, only while it matters. */
async function look() {
  if (!me.joined) return;
  try {
    const room = await fetched(`/api/rooms/${here.room}`);
    me.learn(room);
    byId('nobody').hidden = room.participants.some(({ role }) => role === 'confirmer');
  } catch {
    // Not knowing is no news: the header tells when the server is gone.
  }
}

/** The events of an order from before a reload are fetched when somebody wants to see them. */
async function opened({ target }) {
  const order = orders.list().find(({ event }) => event === target.dataset.events);
  if (!target.open || !order || order.crossed.length > 0) return;
  const found = await Promise.all(
    [order.event, order.answer].filter(Boolean).map((id) => fetched(`/api/rooms/${here.room}/events/${id}`)),
  ).catch(() => []);
  const crossed = found.map(({ event }, i) => ({ way: i === 0 ? 'sent' : 'got', event }));
  change(() => orders.lookedUp(order.event, crossed));
}

function draw() {
  byId('empty').hidden = !orders.isEmpty;
  render(repeat(orders.list(), ({ event }) => event, (order) => drawOrder(order, again)), list);
}
