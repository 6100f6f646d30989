import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { configOf, job, load, mistakes, problemsOf } from './load-files.ts'

/** The block as people copy it, remarks and all. */
const BLOCK = `task_key=sync_tasks  //投递什么任务  sync_tasks同步任务  async_tasks异步任务
run_time=1 * * * *  //定时时间
script=/var/www/points/index.php   //框架入口文件地址  绝对路径
controller=api/AccumulatePay   //执行的控制器地址
function=execute   //执行的方法
param=   //需要注入的参数  字符串并需要urlencode
`

const taskOf = (...lines: string[]) => configOf(job(...lines)).jobs[0]?.task

describe('the block without a header', () => {
  const indented = BLOCK.replace(/^(?=.)/gm, '    ')
  const commented = `    # 定时任务\n    # Conf/cron.ini\n${indented}`
  test.each([
    ['as it stands', BLOCK],
    ['indented', indented],
    ['with the remarks above it', commented],
    ['with a byte order mark', `\uFEFF${BLOCK}`],
    ['with the line ends of Windows', BLOCK.replaceAll('\n', '\r\n')],
  ])('%s is one job called default', (_, text) => {
    const { jobs } = configOf(text, { TASKD_TIMEZONE: 'UTC' })
    expect(jobs).toEqual([
      {
        name: 'default',
        enabled: true,
        trigger: { kind: 'cron', expression: '1 * * * *' },
        timezone: 'UTC',
        overlap: 'skip',
        misfire: 'once',
        misfireGraceMs: 60_000,
        maxBackfill: 100,
        jitterMs: 0,
        pauseOnFailures: 0,
        task: {
          taskKey: 'sync_tasks',
          script: '/var/www/points/index.php',
          controller: 'api/AccumulatePay',
          function: 'execute',
          param: '',
          priority: 5,
          retries: 0,
          retryIntervalsMs: [],
        },
      },
    ])
  })
})

test('every optional key of a job arrives', () => {
  const text = job(
    'controller = c',
    'function = f',
    'param = a=1//b&c=%20&d="x"',
    'enabled = no',
    'timezone = Asia/Kolkata',
    'overlap = queue',
    'misfire = all',
    'misfire_grace = 2m',
    'max_backfill = 7',
    'jitter = 500ms',
    'max_run_time = 1h30m',
    'retries = 5',
    'retry_intervals = 1, 2m 3',
    'interpreter = bin/php',
    'directory = work',
    'user = www-data',
    `environment = A="x, \\"y\\"", B=z,C='q r'`,
    'priority = 9',
    'pause_on_failures = 3',
  )
  const loaded = load({ 'conf/cron.ini': text })
  expect(problemsOf(loaded)).toEqual([])
  if (!loaded.ok) return
  const root = loaded.config.file.replace('/conf/cron.ini', '')
  expect(loaded.config.jobs).toEqual([
    {
      name: 'a',
      enabled: false,
      trigger: { kind: 'cron', expression: '* * * * *' },
      timezone: 'Asia/Kolkata',
      overlap: 'queue',
      misfire: 'all',
      misfireGraceMs: 120_000,
      maxBackfill: 7,
      jitterMs: 500,
      pauseOnFailures: 3,
      task: {
        taskKey: 'sync_tasks',
        script: '/a.php',
        controller: 'c',
        function: 'f',
        param: 'a=1//b&c=%20&d="x"',
        priority: 9,
        maxRunTimeMs: 5_400_000,
        retries: 5,
        retryIntervalsMs: [1000, 120_000, 3000],
        interpreter: `${root}/bin/php`,
        directory: `${root}/work`,
        user: 'www-data',
        environment: { A: 'x, "y"', B: 'z', C: 'q r' },
      },
    },
  ])
})

describe('retries', () => {
  test.each([
    [[], 0, []],
    [['retry_intervals = 10 60 300'], 3, [10_000, 60_000, 300_000]],
    [['retries = 2'], 2, [10_000, 60_000, 300_000]],
    [['retries = 9', 'retry_intervals = 5'], 9, [5000]],
    [['retries = 0'], 0, []],
  ])('%j', (lines, retries, retryIntervalsMs) => {
    expect(taskOf(...lines)).toMatchObject({ retries, retryIntervalsMs })
  })

  test('fewer retries than intervals contradict each other', () => {
    expect(mistakes(job('retries = 1', 'retry_intervals = 10 60'))).toEqual([
      'cron.ini:6: retry_intervals = 10 60: has 2 parts, but retries = 1 never gets to the last. write retries = 2, or leave retries out',
    ])
  })
})

test('a configuration is frozen to the last value', () => {
  const config = configOf(job('environment = A=b', 'retry_intervals = 1 2'))
  const walk = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(walk))
  expect(walk(config)).toBe(true)
})

test('the block is what stands in the shipped documentation', () => {
  expect(readFileSync('docs/configuration.md', 'utf8')).toContain(BLOCK.trim())
})
