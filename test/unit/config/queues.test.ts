import { describe, expect, test } from 'vitest'
import { configOf, job, load, mistakes, short } from './load-files.ts'

const queue = (name: string, ...lines: string[]) => [`[queue:${name}]`, ...lines].join('\n')
const specOf = (name: string, ...lines: string[]) =>
  configOf(queue(name, ...lines)).queues.find(one => one.taskKey === name)

const COMMON = {
  capacity: 500_000,
  leaseMs: 86_400_000,
  retries: 3,
  maxLeases: 0,
  finishKeep: 100_000,
}

test('a queue has the defaults of its mode', () => {
  expect(specOf('x', 'mode = async')).toEqual({
    ...COMMON,
    taskKey: 'x',
    mode: 'async',
    workers: 1,
    concurrency: 16,
    periodMs: 0,
  })
  expect(specOf('x', 'mode = sync')).toMatchObject({ workers: 1, concurrency: 1 })
  expect(specOf('x', 'mode = pull')).toMatchObject({ mode: 'pull', workers: 0, concurrency: 1 })
  expect(specOf('x')?.mode).toBe('async')
  expect(specOf('sync_tasks', 'workers = 0')).toMatchObject({ mode: 'sync', workers: 0 })
})

test('every key of a queue arrives', () => {
  const lines = [
    'mode=async',
    'workers=3',
    'concurrency=8',
    'rate=10/1s',
    'period=5ms',
    'capacity=9',
  ]
  expect(specOf('a.b-c_9', ...lines)).toEqual({
    ...COMMON,
    taskKey: 'a.b-c_9',
    mode: 'async',
    workers: 3,
    concurrency: 8,
    rate: { max: 10, durationMs: 1000 },
    periodMs: 5,
    capacity: 9,
  })
  const pull = ['mode=pull', 'lease=2h', 'retries=5', 'max_leases=4', 'finish_keep=7']
  const limits = { leaseMs: 7_200_000, retries: 5, maxLeases: 4, finishKeep: 7 }
  expect(specOf('p', ...pull)).toMatchObject(limits)
})

test('the built-in queues are there whether or not they are written down', () => {
  const names = configOf(queue('async_tasks', 'workers = 2')).queues.map(one => [
    one.taskKey,
    one.workers,
  ])
  expect(names).toEqual([
    ['sync_tasks', 1],
    ['async_tasks', 2],
  ])
})

test.each([
  ['10/s', { max: 10, durationMs: 1000 }],
  ['600 / 1m', { max: 600, durationMs: 60_000 }],
  ['1/250ms', { max: 1, durationMs: 250 }],
])('rate = %s', (text, rate) => {
  expect(specOf('x', `rate = ${text}`)?.rate).toEqual(rate)
})

const leased = (...lines: string[]) =>
  `${queue('p', 'mode = pull', 'lease = 30m')}\n${job(...lines).replace('sync_tasks', 'p')}`

describe('a mistake in a queue', () => {
  test.each([
    ['mode = asyn', 'is not known here. did you mean "async"?'],
    ['workers = -1', 'is not a whole number from 0 to 1000'],
    ['concurrency = 0', 'is not a whole number from 1 to 10000'],
    ['rate = 10', 'is not a rate. write for instance 10/1s'],
    ['rate = 0/1s', 'lets nothing through'],
    ['rate = 5/1x', '"1x" has the unknown unit "x"'],
    ['capacity = 0', 'is not a whole number from 1'],
    ['worker = 2', 'is not a key of [queue:x]. did you mean "workers"?'],
    ['lease = 1h', 'means nothing for a queue with mode = async. remove it, or write mode = pull'],
    ['max_leases = 1', 'means nothing for a queue with mode = async. remove it'],
  ])('%s', (line, expected) => {
    expect(mistakes(queue('x', line))).toEqual([
      expect.stringContaining(`cron.ini:2: ${line}: ${expected}`),
    ])
  })

  test.each(['workers = 1', 'concurrency = 2', 'rate = 1/1s', 'period = 1s'])(
    '%s means nothing for a pull queue',
    line => {
      expect(mistakes(queue('x', 'mode = pull', line))).toEqual([
        `cron.ini:3: ${line}: means nothing for a queue with mode = pull. remove it: agents take the tasks`,
      ])
    },
  )

  test.each([
    ['user = www-data', 'means nothing for a task of a pull queue. remove it: it is for the agent'],
    ['interpreter = php', 'means nothing for a task of a pull queue. remove it: it is for the'],
    [
      'directory = /srv',
      'means nothing for a task of a pull queue. remove it: it is for the agent',
    ],
    ['environment = A=1', 'means nothing for a task of a pull queue. remove it: it is for the'],
    ['jitter = 3s', 'means nothing for a task of a pull queue. remove it: tasks are claimed in'],
    ['priority = 1', 'means nothing for a task of a pull queue. remove it: tasks are claimed in'],
    ['retries = 2', 'means nothing for a task of a pull queue. write retries in the section of'],
    ['overlap = replace', 'cannot end a task that another machine has claimed. write overlap ='],
  ])('of a job whose tasks agents take: %s', (line, expected) => {
    const [mistake, ...more] = mistakes(leased('max_run_time = 1m', line))
    expect(mistake).toContain(`${line}: ${expected}`)
    expect(more).toEqual([])
    expect(mistakes(job(line))).toEqual([])
  })

  test('a sync queue with tasks side by side', () => {
    expect(mistakes(queue('sync_tasks', 'concurrency = 2'))).toEqual([
      'cron.ini:2: concurrency = 2: a sync queue runs one task at a time. write concurrency = 1, or mode = async',
    ])
    expect(mistakes(queue('sync_tasks', 'concurrency = 1'))).toEqual([])
  })

  test('several workers of a sync queue are worth a note', () => {
    const loaded = load({ 'conf/cron.ini': queue('sync_tasks', 'workers = 2') })
    expect(loaded.ok).toBe(true)
    expect(loaded.notes.map(short)).toEqual([
      'cron.ini:2: workers = 2: each worker keeps the order of its own tasks. write workers = 1 to keep the order of the whole queue',
    ])
  })

  test('a built-in queue with the mode of the other', () => {
    expect(mistakes(queue('async_tasks', 'mode = sync'))).toEqual([
      'cron.ini:2: mode = sync: async_tasks is always async. write mode = async',
    ])
  })

  test('a rate that the period never lets it reach', () => {
    expect(mistakes(queue('x', 'mode = sync', 'rate = 10/1s', 'period = 1s'))).toEqual([
      'cron.ini:3: rate = 10/1s: is never reached: 1 at once with period = 1s are slower. lower the rate, or shorten the period',
    ])
    expect(mistakes(queue('x', 'mode = sync', 'rate = 1/1s', 'period = 1s'))).toEqual([])
    expect(mistakes(queue('x', 'rate = 10/1s', 'period = 1s'))).toEqual([])
  })

  test('a lease that ends while the task still may run', () => {
    expect(mistakes(leased('max_run_time = 31m'))).toEqual([
      'cron.ini:8: max_run_time = 31m: a task may run for 31m, but the lease of p ends after 30m, and it would run twice. shorten max_run_time, or lengthen the lease',
    ])
    expect(mistakes(leased())).toEqual([
      expect.stringContaining('cron.ini:5: task_key = p: a task'),
    ])
    expect(mistakes(leased('max_run_time = 30m'))).toEqual([])
  })

  test.each(['', 'a b', 'ü', 'a:b', 'x'.repeat(65)])('[queue:%s] is no name', name => {
    expect(mistakes(queue(name))).toEqual([expect.stringContaining('is not a name for a queue')])
  })
})
