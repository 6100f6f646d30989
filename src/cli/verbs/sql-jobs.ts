import type { Verbs } from './verb.ts'

export const SQL_JOBS: Verbs = {
  task: {
    args: '<action> [key] [spec]',
    summary: 'list, add, change and run the rows of the table task',
    about:
      'list              all rows, their state and next run\n' +
      'add <key>         a new row; takes --trigger, --spec, --func, --args, --disabled\n' +
      'enable <key>      is_valid = 1      disable <key>   is_valid = 0\n' +
      'spec <key> <spec> another schedule\n' +
      'run <key>         run it now, whatever its schedule says\n' +
      'history [key]     its newest runs, or those of all\n' +
      'A key is the task_key of a row. Changes take effect at once, on all nodes.',
    options: [
      ['--trigger <word>', 'for add: cron, date or interval'],
      ['--spec <spec>', 'for add: "0 9 * * *", "2026-12-01 08:00:00" or seconds'],
      ['--func <name>', 'for add: the function, a file in tasks/<trigger>/'],
      ['--args <values>', 'for add: JSON values with commas between: 1,"two"'],
      ['--disabled', 'for add: with is_valid = 0'],
      ['--wait', 'for run: until it has ended; exit 0 only when it succeeded'],
      ['--limit <n>', 'for history: how many; 20 when not given'],
    ],
    examples: [
      'taskd task list',
      'taskd task add report --trigger cron --spec "0 9 * * 1-5" --func report',
      'taskd task spec report "30 8 * * 1-5"',
      'taskd task disable report',
      'taskd task history report --limit 5 --json',
    ],
    exits: [
      '0  done',
      '1  it could not be done; for run --wait: it did not succeed',
      '2  bad usage, or a row that could not run',
      '4  no such row, or no daemon',
    ],
    load: () => import('../commands/task.ts'),
  },
}
