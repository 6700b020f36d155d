/** What only the host may ask of a room. Each throws an Error with the server's sentence. */

import { here } from '../ui/page.js';

const room = `/api/rooms/${here.room}`;

/** Set the modes of the types named; null removes one. */
export const setModes = (modes) => ask('PUT', `${room}/modes`, modes);

/** Hold events at the broker; let exactly one go; let all go. */
export const hold = () => ask('POST', `${room}/pause`);
export const step = () => ask('POST', `${room}/step`);
export const resume = () => ask('POST', `${room}/resume`);

/** A new beginning: log, queues and orders are gone. */
export const clear = () => ask('POST', `${room}/reset`);

/** Send in a bot that looks at each order for so many seconds; a naive one remembers nothing. */
export const sendBot = (delay, naive) => ask('POST', `${room}/bots`, { delay, naive });
export const killBot = (name) => ask('DELETE', `${room}/bots/${name}`);

/** Go to a scene of the lesson, or show its answer. */
export const play = (scene, answer) => ask('PUT', `${room}/lesson`, { scene, answer });

/** Ask the class, of an order if one is named; then close the round, open it again, or reveal. */
export const askClass = (kind, order) => ask('POST', `${room}/questions`, order ? { kind, order } : { kind });
export const moveQuestion = (id, step) => ask('POST', `${room}/questions/${id}/${step}`);

/** A dead letter gets another chance, or is given up. */
export const retry = (event) => ask('POST', `${room}/dead-letters/${event}/retry`);
export const discard = (event) => ask('POST', `${room}/dead-letters/${event}/discard`);

/** Do something to the messages of one participant; take all that away. */
export const setFault = (name, fault, seconds) => ask('POST', `${room}/participants/${name}/faults`, { fault, seconds });
export const liftFaults = (name) => ask('DELETE', `${room}/participants/${name}/faults`);
/** Refuse somebody's events, or take them again; remove somebody, or let it back in. */
export const mute = (name) => ask('POST', `${room}/participants/${encodeURIComponent(name)}/mute`);
export const unmute = (name) => ask('POST', `${room}/participants/${encodeURIComponent(name)}/unmute`);
export const kick = (name) => ask('POST', `${room}/participants/${encodeURIComponent(name)}/kick`);
export const readmit = (name) => ask('DELETE', `${room}/kicked/${encodeURIComponent(name)}`);

/** Let nobody new in, or everyone again. */
export const lock = (locked) => ask('POST', `${room}/${locked ? 'lock' : 'unlock'}`);

/** End a room and erase all that is kept of it; `main` begins again, empty. */
export const endRoom = (name) => ask('DELETE', `/api/rooms/${name}`);

async function ask(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => null);
  throw new Error(told?.error?.message ?? `The server answered ${answer.status}.`);
}
