import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diffConfig } from '../../../../src/config/diff.ts'
import { KINDS } from '../../../../src/features/index.ts'
import { configOf, folderOf, mistakes, sectionsOf } from '../../config/load-files.ts'

const source = (...lines: string[]) =>
  ['[source:sms]', 'table = process', 'task_key = async_tasks', 'script = s.php', ...lines].join(
    '\n',
  )
/** Without the place in front. */
const said = (text: string) => mistakes(text).map(one => one.replace(/^cron\.ini:\d+: /, ''))

describe('[source:NAME]', () => {
  test('has its defaults, the database and the zone of the daemon', () => {
    const config = configOf(`timezone = Asia/Tokyo\n${source()}`.replace(/^/, '[taskd]\n'))
    const { settings } = config
    expect(sectionsOf(config).sources).toEqual([
      {
        name: 'sms',
        database: settings.database,
        table: 'process',
        idColumn: 'id',
        statusColumn: 'status',
        ready: '0',
        taken: '1',
        done: '2',
        failed: '3',
        pollMs: 1000,
        batch: 500,
        timezone: 'Asia/Tokyo',
        task: {
          taskKey: 'async_tasks',
          script: expect.stringMatching(/^\/.*\/s\.php$/),
          controller: '',
          function: '',
          param: '',
          priority: 5,
          retries: 0,
          retryIntervalsMs: [],
        },
      },
    ])
  })

  test('columns stand in for what is the same for all rows', () => {
    const text = `[source:a.b]
database = mariadb://u:p@h/shop
table = shop.jobs
task_key = q
id_column = job_id
status_column = state
ready = new
taken = queued
done = ok
failed = ok
script_column = script
controller_column = c
function_column = f
param_column = p
priority_column = prio
start_time_column = run_at
result_column = answer
timezone = Asia/Shanghai
poll = 250ms
batch = 9
retry_intervals = 1 2
max_run_time = 9s
[queue:q]
mode = sync`
    expect(sectionsOf(configOf(text)).sources).toMatchObject([
      {
        database: 'mysql://u:p@h/shop',
        scriptColumn: 'script',
        controllerColumn: 'c',
        functionColumn: 'f',
        paramColumn: 'p',
        priorityColumn: 'prio',
        startTimeColumn: 'run_at',
        resultColumn: 'answer',
        done: 'ok',
        failed: 'ok',
        pollMs: 250,
        task: { script: '', retries: 2, retryIntervalsMs: [1000, 2000], maxRunTimeMs: 9000 },
      },
    ])
  })

  test('the database may stand in a file', () => {
    const file = join(folderOf({}), 'url')
    writeFileSync(file, 'postgres://u:secret@h/shop\n')
    expect(sectionsOf(configOf(source(`database = @${file}`))).sources[0]?.database).toBe(
      'postgres://u:secret@h/shop',
    )
  })

  test('what is wrong is said all at once, with what to write instead', () => {
    const text = `[source:bad name]
table = a b
task_key = async_task
id_colum = x
status_column = no-column
ready = 1
taken = 1
poll = 10ms
batch = 0
controller = a
controller_column = b
retries = 1
retry_intervals = 1 2
[queue:far]
mode = pull
[source:far]
table = t
task_key = far
script = /a
script_column = b
[source:none]`
    expect(said(text)).toEqual([
      '[source:bad name]: is not a name for a source. use 1 to 64 of A-Z a-z 0-9 _ . -, as in [source:orders], and no . in front',
      '[source:bad name]: says nowhere what to run. add script = with a path, or script_column = with the column that names it',
      'table = a b: is no name for a table. write table or schema.table, with letters, digits and _',
      'task_key = async_task: there is no such queue. did you mean "async_tasks"?',
      'id_colum = x: is not a key of [source:bad name]. did you mean "id_column"?',
      'status_column = no-column: is no name for a column. use letters, digits and _',
      'taken = 1: is what ready is: rows would run for ever. give ready and taken a value of their own',
      expect.stringContaining('poll = 10ms: is less than 100ms'),
      expect.stringContaining('batch = 0: is not a whole number from 1 to 5000'),
      'controller_column = b: cannot stand beside controller. keep one of them',
      expect.stringContaining('retry_intervals = 1 2: has 2 parts'),
      'task_key = far: far is a pull queue. name a queue whose tasks run here: nobody would write back what agents report',
      'script_column = b: cannot stand beside script. keep one of them',
      'table: is missing in [source:none]. add table = orders',
      'task_key: is missing in [source:none]. add task_key = sync_tasks',
      '[source:none]: says nowhere what to run. add script = with a path, or script_column = with the column that names it',
    ])
  })

  test('what a reload changes is told by the names of the keys', () => {
    const before = configOf(source())
    const after = configOf(source('result_column = r', 'poll = 2s', 'done = 9', 'retries = 1'))
    expect(diffConfig(before, after, KINDS).sections.get('source')?.changed).toEqual([
      {
        name: 'sms',
        keys: expect.arrayContaining(['result_column', 'poll', 'done', 'retries']) as string[],
      },
    ])
  })
})
