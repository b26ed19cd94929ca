// The floors: a file imports its own folder and lower floors, never a sibling. test/floors.test.ts runs it.

/** From the lowest floor up; what stands side by side in a floor is siblings. */
const FLOORS = {
  assembly: [['shared'], ['hal', 'port'], ['rtl'], ['ke'], ['index'], ['debug', 'threads']],
  src: [
    ['machine'],
    ['ke'],
    ['ex'],
    ['ob'],
    ['cm'],
    ['io'],
    ['ps'],
    ['subsystem'],
    ['trace', 'verifier', 'explore', 'workload', 'port'],
    ['index'],
    ['cli', 'web'],
  ],
};

const filesOf = (tree, names) => `^${tree}/(${names.join('|')})(/|\\.ts$)`;

const floorRules = Object.entries(FLOORS).flatMap(([tree, floors]) =>
  floors.flatMap((floor, level) =>
    floor.map((name) => {
      const siblings = floor.filter((other) => other !== name);
      const barred = [...siblings, ...floors.slice(level + 1).flat()];
      return {
        name: `floor ${tree}/${name}`,
        severity: 'error',
        from: { path: filesOf(tree, [name]) },
        to: { path: barred.length === 0 ? '^$' : filesOf(tree, barred) },
      };
    }),
  ),
);

const rule = (name, from, to) => ({ name, severity: 'error', from, to });
const TREES = '^(assembly|src)/';
const LISTED = Object.entries(FLOORS).map(([tree, floors]) => filesOf(tree, floors.flat()));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...floorRules,
    rule('on no floor', { path: TREES, pathNot: LISTED }, {}),
    rule('the core stands alone', { path: '^assembly/' }, { pathNot: '^assembly/' }),
    rule(
      'the core and the reference port are apart',
      { path: '^assembly/(?!port/)' },
      { path: '^assembly/port/' },
    ),
    rule(
      'of the core, the host sees the map',
      { path: '^src/' },
      { path: '^assembly/(?!shared/)' },
    ),
    rule(
      'cli and web see the index only',
      { path: '^src/(cli|web)/' },
      { path: '^(src|assembly)/', pathNot: '^src/($1/|index\\.ts$)' },
    ),
    rule(
      'the library runs on every host',
      { path: '^src/', pathNot: '^src/cli/' },
      {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'],
        pathNot: 'loader|protobuf',
      },
    ),
    rule(
      'only the machine makes instances of the core',
      { path: '^src/', pathNot: '^src/machine/' },
      { path: '@assemblyscript/loader' },
    ),
    rule(
      'what is shipped is a dependency',
      { path: '^src/cli/' },
      { dependencyTypes: ['npm-dev'] },
    ),
    // In assembly/, ke is one machine: a wait readies threads, and a thread that runs waits. Its files
    // are apart for the reader, and the core has no code that runs on import. Types may name each other
    // anywhere: nothing of them is left at run time.
    rule(
      'no file imports itself in a circle',
      { path: '^src/|^assembly/(?!ke/)' },
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    rule('every import leads somewhere', { path: TREES }, { couldNotResolve: true }),
  ],
  options: {
    // Types and const enums count too.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'default'] },
    doNotFollow: { path: '^(node_modules|build)/' },
  },
};
