import type { Command } from './context.ts'

/** A command as `--help` shows it. What it does is loaded only when it is called. */
export interface Verb {
  /** As commander writes arguments: `<job>`, `[name...]`. */
  readonly args?: string
  readonly summary: string
  /** More than the summary, for its own help. */
  readonly about?: string
  readonly options?: readonly (readonly [flags: string, description: string])[]
  /** Flags of those that must be given. */
  readonly required?: readonly string[]
  /** Options that only taskd itself uses. */
  readonly hidden?: readonly string[]
  readonly examples: readonly string[]
  readonly exits?: readonly string[]
  readonly load: () => Promise<{ readonly run: Command }>
}

const ID_HINT = 'An id is a unique_task_id, as taskd push and taskd fails print it.'

const DAEMON: Readonly<Record<string, Verb>> = {
  start: {
    args: '[name...]',
    summary: 'start the daemon, or workers and programs by name',
    about:
      'Without names: starts the daemon in the background and returns once it is ready.\n' +
      'With names: starts workers (or all workers of a queue) that were stopped.',
    options: [
      ['-n, --nodaemon', 'stay in the foreground and log to standard output'],
      ['--detached', 'what the background start runs'],
    ],
    hidden: ['--detached'],
    examples: ['taskd start', 'taskd start -n -c /etc/taskd/cron.ini', 'taskd start async_tasks'],
    exits: ['0  it is ready', '1  it is not, and why', '2  the configuration has mistakes'],
    load: () => import('./commands/start.ts'),
  },
  stop: {
    args: '[name...]',
    summary: 'stop the daemon, or workers and programs by name',
    about:
      'Without names: the daemon takes no new task, lets running ones end (stop_wait), and\n' +
      'leaves. Returns when it is gone.',
    options: [
      ['--now', 'do not let tasks end: they are killed and run again after the next start'],
    ],
    examples: ['taskd stop', 'taskd stop --now', 'taskd stop web-1-sync_tasks-1'],
    load: () => import('./commands/stop.ts'),
  },
  restart: {
    args: '[name...]',
    summary: 'restart the daemon, or workers and programs by name',
    options: [['--now', 'without names: do not let running tasks end first']],
    examples: ['taskd restart', 'taskd restart async_tasks'],
    load: () => import('./commands/restart.ts'),
  },
  signal: {
    args: '<signal> <name...>',
    summary: 'send a signal to programs',
    about: 'The signal by name or number. A group or a program means all its processes.',
    examples: ['taskd signal HUP web', 'taskd signal USR1 web:web_00'],
    load: () => import('./commands/signal.ts'),
  },
  status: {
    args: '[name...]',
    summary: 'show workers, programs, queues and jobs',
    about: 'A line for each worker, program, queue and job; a queue’s name shows its workers too.',
    examples: ['taskd status', 'taskd status async_tasks accumulate_pay', 'taskd status --json'],
    exits: [
      '0  all is well',
      '3  something is down: STOPPED, BACKOFF, FATAL, Redis or the database away',
      '4  no such name, or no daemon',
    ],
    load: () => import('./commands/status.ts'),
  },
  why: {
    args: '<name>',
    summary: 'say why a worker, program, queue or job is as it is',
    about:
      'What made it so, who asked for it, when the next attempt or tick comes, and its last steps.',
    examples: ['taskd why web', 'taskd why accumulate_pay', 'taskd why async_tasks --json'],
    exits: ['0  it is known', '4  no such name, or no daemon'],
    load: () => import('./commands/why.ts'),
  },
  doctor: {
    summary: 'check this machine and say how to mend it',
    examples: ['taskd doctor', 'taskd doctor -c /etc/taskd/cron.ini --json'],
    exits: ['0  nothing stands in the way', '1  something does'],
    load: () => import('./commands/doctor.ts'),
  },
}

const AGENT: Readonly<Record<string, Verb>> = {
  agent: {
    summary: 'work for a pull queue of a master on another machine',
    about:
      'Fetches tasks over HTTP, runs them here, and reports. It needs no Redis, no daemon and\n' +
      'no configuration, and stays in the foreground. Reports that cannot be sent wait on disk.\n' +
      'The secret comes from --secret-file or from TASKD_SECRET.',
    options: [
      ['--master <url>', 'where the master listens: https://host:9595'],
      ['--queue <name>', 'the pull queue'],
      ['--secret-file <file>', 'a file with the secret; secret_pull of the master is enough'],
      ['--ca <file>', 'the certificate of the CA to trust, PEM'],
      ['--concurrency <n>', 'tasks that run at once; 4 when not given'],
      ['--batch <n>', 'tasks that are fetched ahead at most; 100 when not given'],
      ['--data <dir>', 'its own folder; data/agent-<queue> when not given'],
      ['--node <name>', 'who this is, for people; the host name when not given'],
      ['--max-run-time <time>', 'for tasks that bring none; 1h when not given'],
      ['--stop-wait <time>', 'how long tasks may run on after TERM; 30s when not given'],
      ['--kill-wait <time>', 'from TERM to KILL for a task; 10s when not given'],
      ['--php <file>', 'what runs .php scripts'],
      ['--log-level <level>', 'debug, info, warn, error or fatal'],
      ['--log-format <format>', 'text or json'],
    ],
    required: ['--master <url>', '--queue <name>'],
    examples: [
      'taskd agent --master http://127.0.0.1:9595 --queue crawl',
      'taskd agent --master https://master.example.com:9595 --queue crawl \\',
      '    --secret-file /etc/taskd/agent.secret --ca /etc/taskd/ca.crt',
    ],
    exits: [
      '0  told to stop, and stopped',
      '1  it cannot work here: its folder, or another agent in it',
      '2  bad usage, or the master refuses it: the secret, the queue, the certificate',
    ],
    load: () => import('./commands/agent.ts'),
  },
}

const CONFIG: Readonly<Record<string, Verb>> = {
  check: {
    summary: 'check the configuration; needs no daemon',
    about:
      'Shows every mistake at once, as file:line: key = value: what is wrong and what to write.',
    examples: ['taskd check', 'taskd check -c conf/cron.ini --json'],
    exits: ['0  it is in order', '2  it has mistakes'],
    load: () => import('./commands/check.ts'),
  },
  plan: {
    summary: 'show what a reload would change',
    examples: ['taskd plan'],
    exits: ['0  it can be applied', '2  the configuration has mistakes'],
    load: () => import('./commands/plan.ts'),
  },
  reload: {
    summary: 'apply the configuration as it now is',
    about: 'Only what changed restarts. With a mistake in it, nothing at all changes.',
    examples: ['taskd plan && taskd reload'],
    exits: ['0  it is in force', '2  the configuration has mistakes; nothing changed'],
    load: () => import('./commands/reload.ts'),
  },
  next: {
    args: '[job]',
    summary: 'show when jobs run next; needs no daemon',
    options: [
      ['--cron <expr>', 'an expression instead of a job'],
      ['--timezone <tz>', 'the zone of the expression, such as Europe/Berlin'],
      ['--from <time>', 'look from this time on: 2026-03-28T12:00:00, with or without an offset'],
      ['--count <n>', 'how many; 5 for one job, 1 for each of all'],
    ],
    examples: [
      'taskd next',
      'taskd next accumulate_pay --count 10',
      'taskd next --cron "30 2 * * *" --timezone Europe/Berlin --from 2026-03-28',
    ],
    load: () => import('./commands/next.ts'),
  },
}

const TASKS: Readonly<Record<string, Verb>> = {
  run: {
    args: '<job>',
    summary: 'run a job now, whatever its schedule says',
    options: [['--wait', 'until it has ended; exit 0 only when it succeeded']],
    examples: ['taskd run accumulate_pay', 'taskd run accumulate_pay --wait'],
    load: () => import('./commands/run.ts'),
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
    load: () => import('./commands/push.ts'),
  },
  fails: {
    summary: 'show the newest failed runs',
    options: [
      ['--limit <n>', 'how many; 20 when not given'],
      ['--job <name>', 'of this job only'],
      ['--queue <task_key>', 'of this queue only'],
    ],
    examples: ['taskd fails', 'taskd fails --job accumulate_pay --limit 5 --json'],
    load: () => import('./commands/fails.ts'),
  },
  runs: {
    args: '[job]',
    summary: 'show the newest runs, of one job or of all',
    about:
      'When each run began, how it ended, how long it took, the most memory it had, its id, and\n' +
      'the last line it wrote. Runs of all nodes, the newest first.',
    options: [
      ['--limit <n>', 'how many; 20 when not given'],
      ['--queue <task_key>', 'of this queue only'],
      ['-o, --output', 'all that is kept of what each wrote, up to 1 KiB'],
    ],
    examples: ['taskd runs accumulate_pay', 'taskd runs --queue async_tasks --limit 50 --output'],
    load: () => import('./commands/runs.ts'),
  },
  tail: {
    args: '<name> [stream]',
    summary: 'show the end of what a program, worker or run writes',
    about:
      'Of a program: its log, stdout unless stderr is named. Of a worker or a queue: the output\n' +
      'of its runs, those in progress first. Of a run, by its id: its output so far, or what was\n' +
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
    load: () => import('./commands/tail.ts'),
  },
  retry: {
    args: '<id...>',
    summary: 'run failed tasks again',
    about: `Puts failed tasks back on their queue. ${ID_HINT}`,
    examples: ['taskd retry 3f2b8c1e-0d7a-4c55-9a0e-6f1d2b3c4d5e'],
    load: () => import('./commands/retry.ts'),
  },
  cancel: {
    args: '<id...>',
    summary: 'take waiting tasks back, end running ones',
    about: `Removes waiting tasks and ends running ones; they count as failed. ${ID_HINT}`,
    examples: ['taskd cancel 3f2b8c1e-0d7a-4c55-9a0e-6f1d2b3c4d5e'],
    load: () => import('./commands/cancel.ts'),
  },
}

const QUEUES: Readonly<Record<string, Verb>> = {
  pause: {
    args: '<name...>',
    summary: 'hold queues or jobs, on all nodes',
    about: 'A paused queue keeps its tasks, a paused job makes none. Running tasks go on.',
    examples: ['taskd pause async_tasks', 'taskd pause accumulate_pay'],
    load: () => import('./commands/pause.ts'),
  },
  resume: {
    args: '[name...]',
    summary: 'let queues or jobs go on, or end a drain',
    about: 'With names: ends a pause, on all nodes. Without: ends a drain of this node.',
    examples: ['taskd resume async_tasks', 'taskd resume'],
    load: () => import('./commands/resume.ts'),
  },
  scale: {
    args: '<name> <n>',
    summary: 'set how many processes a queue or a program has here',
    about:
      'Holds until the next reload; for good, set workers in its [queue:] section, or numprocs in\n' +
      'its [program:] section.',
    examples: ['taskd scale async_tasks 4', 'taskd scale web 8'],
    load: () => import('./commands/scale.ts'),
  },
  drain: {
    summary: 'take no new task on this node; running ones end',
    about: 'For maintenance: other nodes go on. taskd resume ends it.',
    examples: ['taskd drain', 'taskd resume'],
    load: () => import('./commands/drain.ts'),
  },
}

export const GROUPS: readonly {
  readonly title: string
  readonly verbs: Readonly<Record<string, Verb>>
}[] = [
  { title: 'The daemon:', verbs: DAEMON },
  { title: 'The configuration:', verbs: CONFIG },
  { title: 'Tasks:', verbs: TASKS },
  { title: 'Queues and jobs:', verbs: QUEUES },
  { title: 'Other machines:', verbs: AGENT },
]
