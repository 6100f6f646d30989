import type { Verbs } from './verb.ts'

export const QUEUES: Verbs = {
  pause: {
    args: '<name...>',
    summary: 'hold queues or jobs, on all nodes',
    about: 'A paused queue keeps its tasks, a paused job makes none. Running tasks go on.',
    examples: ['taskd pause async_tasks', 'taskd pause accumulate_pay'],
    load: () => import('../commands/pause.ts'),
  },
  resume: {
    args: '[name...]',
    summary: 'let queues or jobs go on, or end a drain',
    about: 'With names: ends a pause, on all nodes. Without: ends a drain of this node.',
    examples: ['taskd resume async_tasks', 'taskd resume'],
    load: () => import('../commands/resume.ts'),
  },
  cursor: {
    args: '<job>',
    summary: 'show where the schedule of a job stands, or set it back',
    about:
      'Every tick up to the cursor was dealt with. When it is set back, on all nodes, the ticks ' +
      'between it and now are missed ones: misfire and max_backfill of the job say what they do.',
    options: [
      ['--set <time>', 'as --from of taskd backfill; up to now'],
      ['-n, --dry-run', 'only say what would happen'],
    ],
    examples: [
      'taskd cursor accumulate_pay',
      'taskd cursor accumulate_pay --set "2026-11-20 08:00" --dry-run',
    ],
    load: () => import('../commands/cursor.ts'),
  },
  scale: {
    args: '<name> <n>',
    summary: 'set how many processes a queue or a program has here',
    about:
      'Holds until the next reload; for good, set workers in its [queue:] section, or numprocs in ' +
      'its [program:] section.',
    examples: ['taskd scale async_tasks 4', 'taskd scale web 8'],
    load: () => import('../commands/scale.ts'),
  },
  drain: {
    summary: 'take no new task on this node; running ones end',
    about: 'For maintenance: other nodes go on. taskd resume ends it.',
    examples: ['taskd drain', 'taskd resume'],
    load: () => import('../commands/drain.ts'),
  },
}
