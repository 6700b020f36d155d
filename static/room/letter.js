/** Our letter: what stands for us in the file that a class takes home, which has no names. */

const AGAIN = 2000; // ms
const TRIES = 5; // the record of our coming may be on its way

/** Says it on the page, if the page has a place for it. @param {import('./participant.js').Participant} me */
export async function learn(me) {
  const { room, session } = me.who;
  const place = document.getElementById('letter');
  for (let tries = TRIES; place && session && me.joined && tries; tries--) { // not joined: we ask again once we are back
    const answer = await fetch(`/api/rooms/${room}/letter`, { headers: { 'Orders-Session': session } }).catch(() => null);
    const { letter = null } = answer?.ok ? await answer.json() : {};
    place.hidden = letter === null;
    place.lastElementChild.textContent = letter;
    if (letter !== null) return;
    await new Promise((resolve) => { setTimeout(resolve, AGAIN); });
  }
}
