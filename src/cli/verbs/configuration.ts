import type { Verbs } from './verb.ts'

export const CONFIG: Verbs = {
  check: {
    summary: 'check the configuration; needs no daemon',
    about:
      'Shows every mistake at once, as file:line: key = value: what is wrong and what to write.',
    examples: ['taskd check', 'taskd check -c conf/cron.ini --json'],
    exits: ['0  it is in order', '2  it has mistakes'],
    load: () => import('../commands/check.ts'),
  },
  config: {
    args: '[section]',
    summary: 'show what is in force, and who says so; needs no daemon',
    about:
      'Every key of every section with its value and where it comes from: a line of a file, a ' +
      'variable, or the default. Valid as a cron.ini, but for secrets, which are masked.\n' +
      'A section is named as in the file (queue:mail); queue means all queues.',
    options: [['--changed', 'only what is not the default']],
    examples: ['taskd config', 'taskd config taskd --changed', 'APP_ENV=online taskd config'],
    exits: ['0  it is shown', '2  the configuration has mistakes', '4  no such section'],
    load: () => import('../commands/config.ts'),
  },
  plan: {
    summary: 'show what a reload would change',
    examples: ['taskd plan'],
    exits: ['0  it can be applied', '2  the configuration has mistakes'],
    load: () => import('../commands/plan.ts'),
  },
  reload: {
    summary: 'apply the configuration as it now is',
    about: 'Only what changed restarts. With a mistake in it, nothing at all changes.',
    examples: ['taskd plan && taskd reload'],
    exits: ['0  it is in force', '2  the configuration has mistakes; nothing changed'],
    load: () => import('../commands/reload.ts'),
  },
  next: {
    args: '[job]',
    summary: 'show when jobs run next; needs no daemon',
    about: 'Those of cron.ini. taskd task list shows when jobs in SQL run next.',
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
    load: () => import('../commands/next.ts'),
  },
  notify: {
    args: '<name>',
    summary: 'send a test notice',
    about:
      'Sends a notice by [notify:NAME] of the running daemon, at once and whatever on and max say, ' +
      'and tells what came of it.',
    examples: ['taskd notify ops'],
    exits: ['0  it was taken', '1  it was not; the line says why'],
    load: () => import('../commands/notify.ts'),
  },
}
