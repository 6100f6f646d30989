import type { Verbs } from './verb.ts'

const ID_HINT = 'An id is a unique_task_id, as taskd push and taskd fails print it.'

export const TASKS: Verbs = {
  run: {
    args: '<job>',
    summary: 'run a job now, whatever its schedule says',
    options: [['--wait', 'until it has ended; exit 0 only when it succeeded']],
    examples: ['taskd run accumulate_pay', 'taskd run accumulate_pay --wait'],
    load: () => import('../commands/run.ts'),
  },
  backfill: {
    args: '<job>',
    summary: 'run the ticks of a job that lie behind',
    about:
      'Makes a task for each tick from --from to --to. A tick whose task is still remembered is not ' +
      'run again. Times are those of the zone of the job, unless they have an offset.',
    options: [
      ['--from <time>', 'the first: 2026-03-28, 2026-03-28T12:00:00, 2026-03-28T12:00:00+01:00'],
      ['--to <time>', 'the last, which counts too; now when not given'],
      ['-n, --dry-run', 'only list the ticks'],
      ['--limit <n>', 'refuse more ticks than this; 1000 when not given'],
      ['--again [word]', 'run every tick, also known ones; their ids end in this word'],
    ],
    required: ['--from <time>'],
    examples: [
      'taskd backfill accumulate_pay --from 2026-11-20 --dry-run',
      'taskd backfill accumulate_pay --from 2026-11-20 --to "2026-11-20 23:59:59"',
      'taskd backfill accumulate_pay --from 2026-11-01 --limit 10000 --again',
    ],
    load: () => import('../commands/backfill.ts'),
  },
  push: {
    args: '<task_key>',
    summary: 'put a task on a queue',
    options: [
      ['--script <file>', 'the script to run'],
      ['--controller <text>', 'its first argument'],
      ['--function <text>', 'its second argument'],
      ['--param <text>', 'its third argument'],
      ['--id <id>', 'unique_task_id: the same id twice is one task'],
      ['--delay <time>', 'not before this long from now: 10s, 5m, 1h30m'],
      ['--priority <n>', '1 first to 9 last; 5 when not given'],
      ['--max-run-time <time>', 'end it when it runs longer: 30s'],
      ['--retry <seconds>', 'waits before each retry: "10 60 300"'],
      ['--wait', 'until it has ended; exit 0 only when it succeeded'],
    ],
    required: ['--script <file>'],
    examples: [
      'taskd push async_tasks --script /var/www/points/index.php \\',
      '    --controller api/AccumulatePay --function execute --param "user=7"',
      'taskd push sync_tasks --script ./report.sh --delay 10s --retry "10 60"',
    ],
    load: () => import('../commands/push.ts'),
  },
  fails: {
    summary: 'show the newest failed runs',
    options: [
      ['--limit <n>', 'how many; 20 when not given'],
      ['--job <name>', 'of this job only'],
      ['--queue <task_key>', 'of this queue only'],
    ],
    examples: ['taskd fails', 'taskd fails --job accumulate_pay --limit 5 --json'],
    load: () => import('../commands/fails.ts'),
  },
  runs: {
    args: '[job]',
    summary: 'show the newest runs, of one job or of all',
    about:
      'When each run began, how it ended, how long it took, the most memory it had, its id, and ' +
      'the last line it wrote. Runs of all nodes, the newest first.',
    options: [
      ['--limit <n>', 'how many; 20 when not given'],
      ['--queue <task_key>', 'of this queue only'],
      ['-o, --output', 'all that is kept of what each wrote, up to 1 KiB'],
    ],
    examples: ['taskd runs accumulate_pay', 'taskd runs --queue async_tasks --limit 50 --output'],
    load: () => import('../commands/runs.ts'),
  },
  tail: {
    args: '<name> [stream]',
    summary: 'show the end of what a program, worker or run writes',
    about:
      'Of a program: its log, stdout unless stderr is named. Of a worker or a queue: the output ' +
      'of its runs, those in progress first. Of a run, by its id: its output so far, or what was ' +
      'kept of it. A reader that is too slow misses some of it and is told how much.',
    options: [
      ['-f, --follow', 'go on with what comes; a run that ends ends it'],
      ['-n, --lines <n>', 'how many of the last lines; 10 when not given'],
    ],
    examples: [
      'taskd tail web',
      'taskd tail -f web stderr',
      'taskd tail -f web-1-async_tasks-1',
      'taskd tail -n 100 cron-accumulate_pay-1795255200000',
    ],
    exits: ['0  done', '4  no such name, or no daemon'],
    load: () => import('../commands/tail.ts'),
  },
  retry: {
    args: '<id...>',
    summary: 'run failed tasks again',
    about: `Puts failed tasks back on their queue. ${ID_HINT}`,
    examples: ['taskd retry 3f2b8c1e-0d7a-4c55-9a0e-6f1d2b3c4d5e'],
    load: () => import('../commands/retry.ts'),
  },
  cancel: {
    args: '<id...>',
    summary: 'take waiting tasks back, end running ones',
    about: `Removes waiting tasks and ends running ones; they count as failed. ${ID_HINT}`,
    examples: ['taskd cancel 3f2b8c1e-0d7a-4c55-9a0e-6f1d2b3c4d5e'],
    load: () => import('../commands/cancel.ts'),
  },
}
