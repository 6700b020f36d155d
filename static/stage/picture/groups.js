// Who is drawn by name, and who as one of a group: above sixty figures nobody reads names any more.
//
// Pure. The largest part is grouped first, and only as many parts as it takes: three hundred customers
// and two bots are one group and two figures.

export const NAMED = 60;
/** So long (ms) is somebody who left drawn by name; then only counted. */
export const FAREWELL = 10_000;
const PARTS = { customer: 'customers', confirmer: 'confirmers', other: 'others' };

/**
 * @param {Map<string, object>} participants  as in the state
 * @param {number} places  how many figures the picture has room for
 * @param {number} now  by the clock that says when they left, in milliseconds
 * @returns {{figures: object[], groups: Map<string, string>, away: number}}
 *   figures: participants, and groups {name, role, group, count, offline, inFlight, sent, delivered};
 *   groups: name of a grouped participant → name of its group; away: how many left some time ago
 */
export function gather(participants, places = NAMED, now = -Infinity) {
  const everyone = [...participants.values()];
  const people = everyone.filter((one) => one.online || now - one.left < FAREWELL);
  const most = Math.min(NAMED, places);
  const byRole = Object.keys(PARTS).map((role) => people.filter((one) => one.role === role));
  byRole.sort((a, b) => b.length - a.length);
  const figures = [];
  const groups = new Map();
  let left = people.length;
  for (const members of byRole) {
    if (left > most && members.length > 1) {
      const group = grouped(members);
      for (const { name } of members) groups.set(name, group.name);
      figures.push(group);
      left -= members.length - 1;
    } else {
      figures.push(...members);
    }
  }
  return { figures, groups, away: everyone.length - people.length };
}

function grouped(members) {
  const sum = (key) => members.reduce((total, one) => total + one[key], 0);
  const online = members.filter((one) => one.online).length;
  const [{ role }] = members;
  return {
    name: `all ${PARTS[role]}`, role, group: PARTS[role], count: online, offline: members.length - online,
    online: online > 0, bot: false, slow: members.some((one) => one.slow), types: [],
    inFlight: sum('inFlight'), sent: sum('sent'), delivered: sum('delivered'),
  };
}
