/** The handout prints itself on a button; everything else is plain HTML. */

import { byId } from '../ui/page.js';

byId('print').hidden = false;
byId('print').addEventListener('click', () => print());
