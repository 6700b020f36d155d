// Who received an event and who did not, grouped by reason: one sentence for thirty who joined later. Pure.

const NAMED = 5; // names in a sentence; the others unfold

/**
 * @param {{name: string, received: boolean, attempts: number, why: string}[]} recipients  as the API gives them
 * @returns {{received: boolean, attempts: number, why: string, names: string[]}[]}  those who received it first
 */
export function grouped(recipients) {
  const groups = new Map();
  for (const { name, received, attempts, why } of recipients) {
    const key = JSON.stringify([received, attempts, why]);
    if (!groups.has(key)) groups.set(key, { received, attempts, why, names: [] });
    groups.get(key).names.push(name);
  }
  return [...groups.values()].sort((a, b) => Number(b.received) - Number(a.received));
}

/** The names that a sentence says, and those it only counts; never one alone. @param {string[]} names */
export function split(names) {
  const shown = names.length <= NAMED + 1 ? names.length : NAMED;
  return { shown: names.slice(0, shown), more: names.slice(shown) };
}
