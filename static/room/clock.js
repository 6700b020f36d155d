/** The server's clock, as far as this page can tell: its own may be hours off. */

let ahead = Infinity; // ms that ours is ahead of the server's: the least that was seen, for messages take time

hear(Number(globalThis.document?.body.dataset.now)); // when the page was made

/** The server said something at that time. @param {number} at  epoch milliseconds */
export function hear(at) {
  if (Number.isFinite(at)) ahead = Math.min(ahead, Date.now() - at);
}

/** What time it is at the server, in epoch milliseconds. */
export const now = () => Date.now() - (Number.isFinite(ahead) ? ahead : 0);
