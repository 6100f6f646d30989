import { describe, expect, test } from 'vitest'
import { configOf, job, mistakes } from './load-files.ts'

const forQueue = (key: string) => job().replace('sync_tasks', key)
const named = (name: string) => job().replace('[a]', `[${name}]`)

describe('a mistake in a job names what to write instead', () => {
  test.each([
    ['enabled = maybe', 'is neither true nor false. write true or false'],
    [
      'trigger = crom',
      'is not known here. did you mean "cron"? write one of: cron, interval, date',
    ],
    ['timezone = Europe/Berln', 'is no time zone. did you mean "Europe/Berlin"?'],
    ['timezone = berlin', 'is no time zone. did you mean "Europe/Berlin"?'],
    ['timezone = +08:00', 'is no time zone. write an IANA name such as Europe/Berlin or UTC'],
    ['overlap = never', 'is not known here. write one of: skip, queue, replace, allow'],
    ['misfire = al', 'is not known here. did you mean "all"?'],
    [
      'misfire_grace = 5x',
      'has the unknown unit "x" (known: d, h, m, s, ms). write for instance 60s',
    ],
    ['max_backfill = -1', 'is not a whole number from 0 to 100000. write for instance 100'],
    ['jitter =', 'is empty. write for instance 10s'],
    ['max_run_time = 0', 'must be more than nothing. write for instance 10m'],
    ['retries = many', 'is not a whole number from 0 to 1000'],
    ['retry_intervals = 10 x', '"x" is not a duration. write for instance 10 60 300'],
    ['user = a b', 'is not a name for a user. write for instance www-data'],
    ['environment = A', 'has a part without =. write A="x",B=y'],
    ['environment = A="x" B=y', 'has text after the value of A'],
    ['environment = A="x', 'has a quote that does not end after A='],
    ['environment = 1A=x', '"1A" is not a name for a variable'],
    ['environment = A=x,A=y', 'sets A twice. keep one of them'],
    ['priority = 10', 'is not a whole number from 1 to 9. write for instance 5'],
    ['pause_on_failures = 1.5', 'is not a whole number'],
    ['interpreter =', 'is empty. write for instance /usr/bin/php'],
    ['run_tme = x', 'is not a key of a job. did you mean "run_time"?'],
    ['redis = embedded', 'is not a key of a job. it belongs in [taskd]'],
    ['workers = 2', 'is not a key of a job. it belongs in [queue:NAME]'],
    ['__proto__ = x', 'is not a key of a job. known keys: task_key, run_time, script'],
    ['constructor = x', 'is not a key of a job'],
  ])('%s', (line, expected) => {
    const found = mistakes(job(line))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`cron.ini:5: ${line.replace(/ =$/, '')}: ${expected}`)
  })

  test('an argument that no process can take is refused, whatever its length', () => {
    const found = mistakes(job(`param = ${'x'.repeat(131_072)}`))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/^cron\.ini:5: param = x{200}…: is longer than 131071 bytes\. hand/)
    expect(configOf(job(`param = ${'x'.repeat(131_071)}`)).jobs).toHaveLength(1)
  })

  test('missing keys are named at the header', () => {
    expect(mistakes('\n[a]\nparam=')).toEqual([
      'cron.ini:2: task_key: is missing in [a]. add task_key = sync_tasks',
      'cron.ini:2: run_time: is missing in [a]. add run_time = */5 * * * *',
      'cron.ini:2: script: is missing in [a]. add script = /var/www/points/index.php',
    ])
  })

  test('a jitter as long as the interval', () => {
    const found = mistakes(job('jitter = 10s').replace('* * * * *', '@every 10s'))
    expect(found).toEqual([
      'cron.ini:5: jitter = 10s: is not shorter than the interval of 10s. shorten the jitter',
    ])
  })

  test('an unknown queue, with the one that was meant', () => {
    expect(mistakes(forQueue('sync_task'))).toEqual([
      'cron.ini:2: task_key = sync_task: there is no such queue. did you mean "sync_tasks"?',
    ])
    expect(mistakes(forQueue('mail'))).toEqual([
      'cron.ini:2: task_key = mail: there is no such queue. write sync_tasks or async_tasks, or add a section [queue:mail]',
    ])
    expect(mistakes(`[queue:mail]\nmode=async\n${forQueue('mail')}`)).toEqual([])
  })
})

describe('names', () => {
  test.each(['a', 'A.b-c_9', '积分', 'Ümläut', '9', 'x'.repeat(100)])('%s is a name', name => {
    expect(configOf(named(name)).jobs[0]?.name).toBe(name)
  })

  test.each([
    ['a b', 'is not a name for a job. use letters, digits, _ . - and begin with a letter or digit'],
    ['-a', 'is not a name for a job'],
    ['..', 'is not a name for a job'],
    ['a/b', 'is not a name for a job'],
    ['a:b', 'is not a name for a job'],
    ['x'.repeat(101), 'is longer than 100 characters. shorten the name'],
    ['Taskd', 'is no kind of section. did you mean [taskd]?'],
    ['quue:x', 'is no kind of section. did you mean [queue:x]?'],
  ])('[%s] is none', (name, expected) => {
    const found = mistakes(named(name))
    expect(found.join('\n')).toContain(`cron.ini:1: [${name}]: ${expected}`)
  })
})

test('every mistake is in one report, in the order of the lines', () => {
  const text = [
    '[taskd]',
    'max_run_time = soon',
    '[queue:x y]',
    'mode = sink',
    '[a]',
    'task_key = nowhere',
    'trigger = intervall',
    'run_time = 30s',
    'overlap = x',
    'bogus line',
    '[a]',
    'scrip = /a',
  ].join('\n')
  expect(
    mistakes(text).map(line => line.replace(/^cron\.ini:(\d+): ([^:=]*?)(?: =)?[ :].*$/, '$1 $2')),
  ).toEqual([
    '2 max_run_time',
    '3 [queue',
    '4 mode',
    '5 script',
    '6 task_key',
    '7 trigger',
    '9 overlap',
    '10 bogus',
    '11 [a]',
    '11 task_key',
    '11 run_time',
    '11 script',
    '12 scrip',
  ])
})
