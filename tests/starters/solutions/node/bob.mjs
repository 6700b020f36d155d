// A right Bob, in Node: node bob.mjs ADDRESS [NAME]

const MENU = ['espresso', 'cappuccino', 'hot chocolate', 'mint tea', 'lemonade', 'croissant', 'cheese sandwich',
  'tomato soup', 'apple pie', 'blueberry muffin'];
const seen = new Set(); // ids of orders that were answered
const confirmed = new Set(); // 'customer/number'
const sent = []; // what waits for broker.accepted, in order: the id of the order to ack, or null
let last = null; // the id of the last event that was heard

function reason({ source, data: { id, item, quantity, note } }) {
  if (!Number.isInteger(id) || id < 1) return 'invalid_id';
  const many = quantity ?? 1;
  if (!Number.isInteger(many) || many < 1 || many > 100) return 'invalid_quantity';
  if (item !== undefined && item !== null && !MENU.includes(item)) return 'unknown_item';
  if (note !== undefined && note !== null && (typeof note !== 'string' || note.length > 200)) return 'invalid_note';
  return confirmed.has(`${source}/${id}`) ? 'duplicate_order' : null;
}

function start(address, name) {
  const socket = new WebSocket(`${address}&name=${name}&types=order_placed&ack=manual${last ? `&after=${last}` : ''}`);
  const ack = (event) => socket.send(JSON.stringify({ type: 'broker.ack', data: { event } }));
  const send = (type, data, order = null) => {
    sent.push(order);
    socket.send(JSON.stringify({ type, data }));
  };
  socket.onopen = () => {
    sent.length = 0;
    if (last) return;
    send('hello_said', {});
    send('order_placed', { id: 1 + Math.floor(Math.random() * 1e6), item: 'espresso', quantity: 1 });
  };
  socket.onmessage = ({ data: text }) => {
    const event = JSON.parse(text);
    if (event.type === 'broker.accepted') {
      const order = sent.shift();
      if (order) ack(order);
    }
    if (event.type.startsWith('broker.')) return;
    if (event.type === 'order_placed' && !seen.has(event.id)) {
      seen.add(event.id);
      const about = { id: event.data.id ?? null, customer: event.source, event: event.id };
      const wrong = reason(event);
      if (wrong) send('order_rejected', { ...about, reason: wrong, message: `I cannot make that: ${wrong}.` }, event.id);
      else {
        confirmed.add(`${event.source}/${event.data.id}`);
        send('order_confirmed', about, event.id);
      }
    } else if (event.attempt > 1) ack(event.id);
    last = event.id;
  };
  socket.onclose = () => setTimeout(() => start(address, name), 200);
}

start(process.argv[2], process.argv[3] ?? 'bob');
