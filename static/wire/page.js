/** The wire: handshake and frames of one participant, as they come; one of them opened bit by bit. */

import { repeat } from '/static/vendor/lit-html/directives/repeat.js';
import { html, nothing, render } from '/static/vendor/lit-html/lit-html.js';
import { HEARTBEAT, hear, Link, socketAddress } from '../room/connection.js';
import { observe } from '../room/observe.js';
import { bind } from '../ui/keys.js';
import { byId, copying, here, oncePerFrame, showConnection } from '../ui/page.js';
import { clock, count, visible } from '../ui/words.js';
import { gist } from './fields.js';

const KEPT = 200; // frames
const STEPS = 5; // of the computation of the accept
const EACH = 220; // ms a byte that is unmasked
const MOST = 20; // bytes that are

/** Of whom; not asked for: choose one. */
const name = new URLSearchParams(location.search).get('name') ? here.name : null;

copying();
if (name === null) choose();
else look();

/** Who is here, each with a link. */
function choose() {
  let people = [];
  const draw = () => {
    byId('nobody').hidden = people.length > 0;
    render(repeat(people, (one) => one, (one) => html`<li><a class="button" href="/wire?${new URLSearchParams({ room: here.room, name: one })}">${one}</a></li>`), byId('people'));
  };
  observe({ room: here.room, resume: false }, {
    snapshot({ participants }) {
      people = participants.map((one) => one.name);
      draw();
    },
    missing: draw,
    records(records) {
      for (const { kind, name: who, was } of records) {
        if (kind === 'left' && who === null) people = []; // the server started again
        if (kind === 'joined' || kind === 'left') people = people.filter((one) => one !== who && one !== was);
        if (kind === 'joined') people.push(who);
      }
      draw();
    },
  });
}

/** The secret of the page from which this one was opened, see `session` of room/participant.js; null: none. */
function sessionOf(page) {
  try {
    return sessionStorage.getItem(`orders ${page} ${here.room} ${here.name}`);
  } catch {
    return null; // storage may be forbidden
  }
}

function look() {
  let who = name;
  let told = { state: 'waiting' }; // what the feed told last: state, handshake, …
  let frames = []; // the newest
  let shown = frames; // those that are drawn: the same, unless paused
  let skipped = 0;
  let opened = 0; // number of a frame; 0: the handshake
  let follows = false; // the newest is opened
  let step = STEPS;
  let done = Infinity; // bytes unmasked by now
  let unmasking = null;
  let session = sessionOf('customer') ?? sessionOf('confirmer');
  const drawSoon = oncePerFrame(draw);
  let draws = null; // the module that draws frames, once it is needed
  let shakes = null;

  const link = new Link({
    address: () => socketAddress(`/observe/${here.room}/wire/${encodeURIComponent(name)}`, { heartbeat: HEARTBEAT, session }),
    text: (text) => heard(JSON.parse(text)),
    down: refused,
  });

  function heard(message) {
    if (message.type === 'broker.error') link.why = message.data.message;
    if (message.type !== undefined) return; // a heartbeat, or an error: the connection tells of both
    link.isIn('Looking');
    if (message.state === 'open') {
      frames = [];
      skipped = 0;
      opened = 0;
    }
    if (message.name) byId('who').textContent = who = message.name;
    if (message.frames) {
      frames = [...frames, ...message.frames].slice(-KEPT);
      skipped += message.skipped;
      hear(message.frames.at(-1).at);
    } else told = { ...told, ...message };
    if (!isPaused()) shown = frames;
    if (follows && !isPaused() && shown.length) opened = shown.at(-1).number;
    drawSoon();
  }

  /** The server does not show it to us, and says why; true: we tell of it ourselves. */
  function refused(final) {
    if (final === null || link.why === null) return false;
    told = { state: 'refused' };
    showConnection('offline', 'Not shown');
    drawSoon();
    return true;
  }

  const isPaused = () => byId('pause').getAttribute('aria-pressed') === 'true';

  function draw() {
    drawState();
    for (const id of ['halves', 'keys', 'live', 'pause', 'save']) byId(id).hidden = told.request === undefined;
    if (told.request === undefined) return;
    byId('live').setAttribute('aria-pressed', follows);
    const late = frames.length ? frames.at(-1).number - (shown.at(-1)?.number ?? 0) : 0;
    byId('note').textContent = [
      isPaused() ? `Paused${late ? `; ${late} more came` : ''}.` : '',
      skipped ? `Too fast to show: ${count(skipped, 'frame')} left out.` : '',
      told.whole ? '' : 'From when you began to look; what was before is not kept.',
      told.reads === false ? `What ${who} says is read from the pong on that was just asked for.` : '',
    ].join(' ').trim();
    const first = html`<li><button type="button" data-number="0" aria-current=${opened === 0}><span class="wire-when"></span>
      <b class="wire-arrow">⇄</b><b class="wire-kind">handshake</b><span class="wire-gist">${told.request.line}</span><span class="wire-size">101</span></button></li>`;
    render(html`${first}${repeat(shown, (one) => one.number, row)}
      ${shown.length ? nothing : html`<li class="empty">No frame yet. Let ${who} send something: place an order, or wait for a ping.</li>`}`, byId('frames'));
    drawOpened();
  }

  function drawState() {
    const words = new Map([
      ['refused', link.why],
      ['waiting', told.request && `The connection of ${who} is over. The next one is shown from its first byte on.`],
      ['elsewhere', `${who} is connected to another node of this server: open this page at the address of that one.`],
      ['closed', `The connection of ${who} is over.`],
    ]).get(told.state);
    byId('session').hidden = told.state !== 'refused';
    byId('next').hidden = told.state !== 'waiting' || told.request !== undefined;
    byId('state').hidden = !words;
    if (byId('state').textContent !== (words ?? '')) byId('state').textContent = words ?? '';
  }

  function row(frame) {
    const isClient = frame.from === 'client';
    return html`<li><button type="button" data-number=${frame.number} data-from=${frame.from} aria-current=${opened === frame.number}>
      <span class="wire-when">${clock(frame.at)}</span>
      <b class="wire-arrow"><span class="unseen">${isClient ? `${who} to server` : `server to ${who}`}</span><span aria-hidden="true">${isClient ? '→' : '←'}</span></b>
      <b class="wire-kind">${frame.kind}</b><span class="wire-gist">${visible(gist(frame))}</span>
      <span class="wire-size">${frame.length.toLocaleString('en')} B</span></button></li>`;
  }

  /** What draws a frame, and a handshake, is fetched when it is first needed. */
  async function drawOpened() {
    const frame = frames.find((one) => one.number === opened) ?? shown.find((one) => one.number === opened);
    if (!frame) {
      shakes ??= await import('./handshake.js');
      shakes.drawHandshake(byId('opened'), told, who, step);
    } else {
      draws ??= await import('./frame.js');
      draws.drawFrame(byId('opened'), frame, who, done);
    }
  }

  function open(number) {
    opened = number;
    follows = false;
    done = Infinity;
    clearInterval(unmasking);
    draw();
    const button = document.querySelector(`[data-number="${number}"]`);
    button?.scrollIntoView({ block: 'nearest' });
    if (document.activeElement?.matches('[data-number]')) button?.focus();
  }

  function move(by) {
    const numbers = [0, ...shown.map((one) => one.number)];
    const at = Math.max(0, numbers.indexOf(opened));
    open(numbers[Math.min(Math.max(at + by, 0), numbers.length - 1)]);
  }

  /** From all of it to the first step; then one more each time. */
  function compute() {
    if (opened !== 0) open(0);
    step = step === STEPS ? 1 : step + 1;
    draw();
  }

  function unmask() {
    clearInterval(unmasking);
    done = 0;
    unmasking = setInterval(() => {
      done += 1;
      if (done >= MOST) clearInterval(unmasking);
      drawSoon();
    }, EACH);
    draw();
  }

  function pause() {
    byId('pause').setAttribute('aria-pressed', !isPaused());
    byId('pause').querySelector('span').textContent = isPaused() ? 'Go on' : 'Pause';
    if (!isPaused()) shown = frames;
    draw();
  }

  function newest() {
    if (shown.length) open(shown.at(-1).number);
    follows = true;
    draw();
  }

  function save() {
    const { request, accept, response, whole } = told;
    const text = JSON.stringify({ room: here.room, name: who, whole, handshake: { request, accept, response }, skipped, frames: shown }, null, 2);
    const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    Object.assign(document.createElement('a'), { href: address, download: `wire-${here.room}-${who}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  const some = { when: () => told.request !== undefined };
  bind('ArrowUp', 'The frame before', () => move(-1), some);
  bind('ArrowDown', 'The next frame', () => move(1), some);
  bind('h', 'The handshake', () => open(0), some);
  bind('l', 'The newest frame, as they come', newest, some);
  bind('c', 'Compute the accept step by step', compute, some);
  bind('m', 'Unmask byte by byte', unmask, some);
  bind(' ', 'Pause, and go on', pause, some);
  bind('s', 'Save as JSON', save, some);
  for (const [id, act] of [['live', newest], ['pause', pause], ['save', save]]) byId(id).addEventListener('click', act);
  document.addEventListener('click', ({ target }) => {
    const number = target.closest('[data-number]')?.dataset.number;
    if (number !== undefined) open(Number(number));
    if (target.closest('[data-compute]')) compute();
    if (target.closest('[data-unmask]')) unmask();
  });
  byId('session').addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    session = byId('session-text').value;
    told = { state: 'asking' };
    draw();
    link.again();
  });
  matchMedia('(max-width: 48rem)').addEventListener('change', drawSoon);
}
