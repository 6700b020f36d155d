// What `make lint` holds the pages' modules to. What comes over the wire may be called `constructor`, which every
// plain object answers to: foreign text is the key of a Map, or is asked for with Object.hasOwn.

/** Names that what comes from outside has on our pages. */
const FOREIGN = new Set(['type', 'kind', 'name', 'source', 'customer', 'item', 'reason', 'code', 'key', 'id', 'event']);
const USE = 'Use a Map, or Object.hasOwn: a key such as `constructor` finds something in any plain object.';

const noForeignKeys = {
  meta: { type: 'problem', schema: [{ enum: ['tables'] }] },
  create(context) {
    const isStrict = context.options[0] !== 'tables';
    /** Whether it is an object literal, or a variable that holds one. */
    const isPlain = (node) => {
      if (node.type === 'ObjectExpression') return true;
      if (node.type === 'CallExpression') return context.sourceCode.getText(node.callee) === 'Object.fromEntries';
      if (node.type !== 'Identifier') return false;
      let scope = context.sourceCode.getScope(node);
      while (scope && !scope.set.has(node.name)) scope = scope.upper;
      return (scope?.set.get(node.name).defs ?? []).some(({ node: { init } }) => init && init.type !== 'Identifier' && isPlain(init));
    };
    const lastName = ({ type, name, property }) => (type === 'MemberExpression' ? property.name : name);
    return {
      MemberExpression(node) {
        if (!node.computed || node.property.type === 'Literal') return;
        const isWrite = node.parent.type === 'AssignmentExpression' && node.parent.left === node;
        const isForeign = FOREIGN.has(lastName(node.property)) && (isWrite || node.property.type === 'MemberExpression');
        if (isStrict ? isPlain(node.object) || isForeign : isForeign && !isWrite) context.report({ node, message: USE });
      },
      'BinaryExpression[operator="in"]': (node) => context.report({ node, message: USE }),
      ForInStatement: (node) => context.report({ node, message: 'Use for … of Object.entries(…).' }),
    };
  },
};

export default [
  { ignores: ['**/vendor/**'] },
  {
    files: ['**/*.js'],
    plugins: { orders: { rules: { 'no-foreign-keys': noForeignKeys } } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'orders/no-foreign-keys': 'error',
      'no-prototype-builtins': 'error',
      'no-undef-init': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-const-assign': 'error',
      'no-dupe-keys': 'error',
      'no-unreachable': 'error',
      'no-var': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
      eqeqeq: 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
    },
  },
  // The stage looks up tables of its own by words of its own.
  { files: ['**/stage/**/*.js'], rules: { 'orders/no-foreign-keys': ['error', 'tables'] } },
];
