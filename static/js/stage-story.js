/** What the stage tells beside the picture: why, in which order, and how it was before. */

/** Called once, before anything is shown. @param {import('./stage-show.js').Show} show */
export function tell(show) {
  void show;
}
