/** The diagram as a file of its own: it brings its colours and lines along. */

const NAMES = ['--ink', '--muted', '--paper', '--placed', '--confirmed', '--rejected', '--broker', '--border', '--lease'];
const SHEET = '/static/stage/diagram/svg.css';
const EDGE = 16; // px around it

/** @param {HTMLElement} paper  what is drawn, names and rows  @param {string} room */
export function savedSvg(paper, room) {
  const [heads, body] = ['.diagram-heads', '.diagram-body'].map((one) => paper.querySelector(one));
  const [width, above, below] = [heads.width, heads.height, body.height].map(({ baseVal }) => baseVal.value);
  const page = getComputedStyle(document.documentElement);
  const colours = NAMES.map((name) => `${name}:${page.getPropertyValue(name).trim()}`).join(';');
  const sheet = [...document.styleSheets].find(({ href, ownerNode }) => (href ?? ownerNode.dataset.sheet)?.endsWith(SHEET));
  const rules = [...(sheet?.cssRules ?? [])].map(({ cssText }) => cssText).join('\n');
  const letter = getComputedStyle(paper).fontSize;
  const drawing = new DOMParser().parseFromString(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width + 2 * EDGE}" height="${above + below + 2 * EDGE}"
      viewBox="${-EDGE} ${-EDGE} ${width + 2 * EDGE} ${above + below + 2 * EDGE}"><title/><defs/><rect class="page"/><g/><g/></svg>`,
    'image/svg+xml',
  );
  const root = drawing.documentElement;
  root.querySelector('title').textContent = `Room ${room}`;
  const style = `svg{${colours};font:${letter} "Atkinson Hyperlegible Next",sans-serif}.page{fill:var(--paper)}\n${rules}`;
  for (const [name, value] of Object.entries({ x: -EDGE, y: -EDGE, width: width + 2 * EDGE, height: above + below + 2 * EDGE })) {
    root.querySelector('.page').setAttribute(name, value);
  }
  const used = new Set([...heads.querySelectorAll('use')].map((one) => one.getAttribute('href')));
  for (const shape of used) root.querySelector('defs').append(copied(document.querySelector(shape)));
  const [up, down] = root.querySelectorAll('g');
  root.classList.add('diagram-svg');
  for (const one of heads.children) up.append(copied(one));
  for (const one of body.children) down.append(copied(one));
  down.setAttribute('transform', `translate(0 ${above})`);
  // As text: in one of our documents the page's policy would refuse a style sheet within.
  return new XMLSerializer().serializeToString(root).replace('</title>', () => `</title><style><![CDATA[${style}]]></style>`);
}

/** Without what only a page needs: templates' comments, and where the Tab key stops. */
function copied(element) {
  const clone = element.cloneNode(true);
  const walk = document.createTreeWalker(clone, NodeFilter.SHOW_ALL);
  const comments = [];
  for (let node = clone; node; node = walk.nextNode()) {
    if (node.nodeType === Node.COMMENT_NODE) comments.push(node);
    for (const name of ['tabindex', 'role', 'aria-pressed', 'data-on']) node.removeAttribute?.(name);
  }
  for (const comment of comments) comment.remove();
  return clone;
}
