/** Who may import whom: docs/architecture.md. `npm run check` enforces it. */
const room = name => `^src/${name}/`
const only = (name, allowed, comment) => ({
  name: `${name}-imports`,
  severity: 'error',
  comment,
  from: { path: room(name) },
  to: {
    path: '^src/',
    pathNot: [
      room(name),
      ...allowed.map(one => (one.endsWith('.ts') ? `^src/${one}$` : room(one))),
    ],
  },
})

module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      severity: 'error',
      comment: 'Data goes one way.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'bullmq-apart',
      severity: 'error',
      comment: 'One file knows BullMQ and what we change in it.',
      from: { path: '^src/', pathNot: '^src/queue/bullmq.ts$' },
      to: { path: 'node_modules/bullmq/' },
    },
    only('lib', [], 'lib knows nothing of taskd.'),
    only('model', ['lib'], 'The nouns and their pure rules.'),
    only('config', ['model', 'lib'], 'Text to a frozen value; nothing that runs.'),
    only('schedule', ['model', 'lib'], 'Next-fire is pure; the ticker asks ports.'),
    only('queue', ['model', 'lib'], 'The engine knows tasks, not who makes or runs them.'),
    only('store', ['model', 'lib'], 'SQL knows rows, not who writes them.'),
    only('logs', ['model', 'lib'], 'The output of programs; who they are it does not know.'),
    only(
      'monitor',
      ['queue/keys.ts', 'queue/scripts.ts', 'queue/connection.ts', 'model', 'lib'],
      'What people watch is fed by events.',
    ),
    only(
      'failures',
      ['queue/keys.ts', 'queue/scripts.ts', 'queue/message.ts', 'store', 'model', 'lib'],
      'A failed run on its way to fail_log: from Redis to SQL.',
    ),
    only(
      'workers',
      ['queue', 'monitor/hashes.ts', 'failures/record.ts', 'failures/row.ts', 'model', 'lib'],
      'A worker stays lean: no config, no SQL.',
    ),
    only(
      'agent',
      ['workers', 'queue/message.ts', 'model', 'lib'],
      'An agent has a runner and HTTP; no Redis, no configuration.',
    ),
    only('api', ['monitor', 'model', 'lib'], 'Routes ask the Control port, never the supervisor.'),
    only('supervise', ['model', 'lib'], 'Any child: a worker, a program, the Redis that we run.'),
    only(
      'features',
      [
        'api',
        'supervise',
        'monitor',
        'logs',
        'queue',
        'store',
        'schedule',
        'config',
        'model',
        'lib',
      ],
      'A feature stands on the floors below, and on no other feature.',
    ),
    {
      name: 'features-apart',
      severity: 'error',
      comment: 'What two features need goes down a floor.',
      from: { path: '^src/features/([^/]+)/' },
      to: { path: '^src/features/[^/]+/', pathNot: '^src/features/$1/' },
    },
    {
      name: 'features-by-their-list',
      severity: 'error',
      comment: 'From above, features are walked; programs are still known by name.',
      from: { path: '^src/', pathNot: '^src/features/' },
      to: { path: '^src/features/[^/]+/', pathNot: '^src/features/programs/' },
    },
    only(
      'cli',
      ['api', 'features', 'config', 'schedule', 'master/main.ts', 'agent/main.ts', 'model', 'lib'],
      'The CLI is a client of the API.',
    ),
    only(
      'master',
      [
        'api',
        'features',
        'supervise',
        'workers',
        'monitor',
        'failures',
        'logs',
        'queue',
        'store',
        'schedule',
        'config',
        'model',
        'lib',
      ],
      'The composition root.',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
