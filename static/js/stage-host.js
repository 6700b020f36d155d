/** What only the host may ask of a room. Each throws an Error with the server's sentence. */

/** Set the modes of the types named; null removes one. */
export const setModes = (room, modes) => ask('PUT', `/api/rooms/${room}/modes`, modes);

async function ask(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(path, { method, headers, body: JSON.stringify(body) });
  if (answer.ok) return;
  const told = await answer.json().catch(() => null);
  throw new Error(told?.error?.message ?? `The server answered ${answer.status}.`);
}
