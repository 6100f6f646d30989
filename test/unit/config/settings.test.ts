import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { placesOf } from '../../../src/config/paths.ts'
import { configOf, load, mistakes, short } from './load-files.ts'

const settingsOf = (...lines: string[]) => configOf(['[taskd]', ...lines].join('\n')).settings

test('an empty file is a daemon with every default', () => {
  const { settings, queues, jobs, file, files } = configOf('')
  const root = dirname(dirname(file))
  expect(settings).toEqual({
    node: hostname(),
    redis: 'embedded',
    database: `sqlite:${root}/data/task_schedule.db`,
    dataDir: `${root}/data`,
    socket: `${root}/data/taskd.sock`,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    maxRunTimeMs: 3_600_000,
    stopWaitMs: 30_000,
    killWaitMs: 10_000,
    nodeTimeoutMs: 60_000,
    fence: 'sync',
    logLevel: 'info',
    logFormat: 'text',
    resultKeepTimeMs: 86_400_000,
    resultKeepCount: 100_000,
    failKeepTimeMs: 86_400_000,
    failOnStderr: false,
    tasks: `${root}/tasks`,
  })
  expect(queues.map(({ taskKey, mode, concurrency }) => [taskKey, mode, concurrency])).toEqual([
    ['sync_tasks', 'sync', 1],
    ['async_tasks', 'async', 16],
  ])
  expect(jobs).toEqual([])
  expect(files).toEqual([file])
})

test('every setting arrives, and relative paths become absolute', () => {
  const { settings, file } = configOf(
    [
      '[taskd]',
      'node = web-1',
      'redis = unix:run/redis.sock',
      'database = sqlite:../fails.db',
      'data_dir = ../var',
      'http = 0.0.0.0:8080',
      'http_cert = tls/http.crt',
      'http_key = tls/http.key',
      'http_rate = 600/1m',
      'secret = "hush // hush"',
      'secret_read = look',
      'secret_push = give',
      'secret_pull = take',
      'rpc_allow = API.internal, 10.0.0.0/8 [::1] *.Corp.example:8080 [::2]:81 1.2.3.4:82',
      'timezone = Asia/Shanghai',
      'max_run_time = 10m',
      'stop_wait = 5',
      'kill_wait = 0',
      'node_timeout = 2m',
      'fence = all',
      'log_level = debug',
      'log_file = ../var/taskd.log',
      'log_format = json',
      'result_keep_time = 1000',
      'result_keep_count = 5',
      'fail_keep_time = 2h',
      'bin_path = bin',
      'fail_on_stderr = true',
      'script_allow = jobs/*.php /srv/app',
      'tasks = functions',
      'php = php8.2',
      'redis_server = redis/redis-server',
    ].join('\n'),
  )
  const folder = dirname(file)
  const root = dirname(folder)
  expect(settings).toEqual({
    node: 'web-1',
    redis: `unix:${folder}/run/redis.sock`,
    database: `sqlite:${root}/fails.db`,
    dataDir: `${root}/var`,
    socket: `${root}/var/taskd.sock`,
    http: { host: '0.0.0.0', port: 8080 },
    httpCert: `${folder}/tls/http.crt`,
    httpKey: `${folder}/tls/http.key`,
    httpRate: { max: 600, durationMs: 60_000 },
    secret: 'hush // hush',
    secretRead: 'look',
    secretPush: 'give',
    secretPull: 'take',
    rpcAllow: [
      { kind: 'name', name: 'api.internal' },
      { kind: 'network', address: '10.0.0.0', bits: 8, family: 'ipv4' },
      { kind: 'network', address: '::1', bits: 128, family: 'ipv6' },
      { kind: 'domain', suffix: '.corp.example', port: 8080 },
      { kind: 'network', address: '::2', bits: 128, family: 'ipv6', port: 81 },
      { kind: 'network', address: '1.2.3.4', bits: 32, family: 'ipv4', port: 82 },
    ],
    timezone: 'Asia/Shanghai',
    maxRunTimeMs: 600_000,
    stopWaitMs: 5000,
    killWaitMs: 0,
    nodeTimeoutMs: 120_000,
    fence: 'all',
    logLevel: 'debug',
    logFile: `${root}/var/taskd.log`,
    logFormat: 'json',
    resultKeepTimeMs: 1_000_000,
    resultKeepCount: 5,
    failKeepTimeMs: 7_200_000,
    binPath: `${root}/bin`,
    failOnStderr: true,
    scriptAllow: [`${root}/jobs/*.php`, '/srv/app'],
    tasks: `${root}/functions`,
    php: 'php8.2',
    redisServer: `${root}/redis/redis-server`,
  })
})

test.each([
  [
    '/srv/app/conf/cron.ini',
    { root: '/srv/app', dataDir: '/srv/app/data', tasks: '/srv/app/tasks' },
  ],
  ['/srv/app/etc/x.ini', { root: '/srv/app/etc', dataDir: '/srv/app/data' }],
  ['/etc/taskd/cron.ini', { root: '/etc/taskd', dataDir: '/var/lib/taskd' }],
  ['/etc/cron.ini', { dataDir: '/var/lib/taskd' }],
  ['/etcetera/conf/cron.ini', { dataDir: '/etcetera/data' }],
])('where things lie for %s', (file, expected) => {
  expect(placesOf(file)).toMatchObject(expected)
})

describe('the environment', () => {
  test('wins over the file, and an empty variable counts as not set', () => {
    const text = '[taskd]\nnode = file\nlog_level = warn\n'
    const { settings } = configOf(text, { TASKD_NODE: 'env', TASKD_LOG_LEVEL: '' })
    expect([settings.node, settings.logLevel]).toEqual(['env', 'warn'])
  })

  test('mends a mistake in the file that it lies over', () => {
    expect(mistakes('[taskd]\nstop_wait = x', { TASKD_STOP_WAIT: '3s' })).toEqual([])
  })

  test('a mistake in it names the variable', () => {
    expect(mistakes('', { TASKD_KILL_WAIT: 'soon', TASKD_HTTP: '0.0.0.0:1' })).toEqual([
      'environment: TASKD_KILL_WAIT = soon: is not a duration. write for instance 10s (units: d h m s ms)',
      expect.stringContaining('environment: TASKD_HTTP = 0.0.0.0:1: can be reached'),
    ])
  })

  test('what scripts get is no setting; what looks like one and is none is noted', () => {
    const loaded = load(
      { 'conf/cron.ini': '' },
      { TASKD_TASK_ID: '1', TASKD_CONFIG: 'x', TASKD_REDSI: 'x', PATH: '/bin' },
    )
    expect(loaded.ok).toBe(true)
    expect(loaded.notes.map(short)).toEqual([
      'environment: TASKD_REDSI: is no setting and is ignored. did you mean "TASKD_REDIS"?',
    ])
  })
})

describe('node_timeout and kill_wait', () => {
  const own = '[taskd]\nredis = redis://h\n'

  test('leave time to end runs before other nodes take them', () => {
    expect(mistakes(`${own}node_timeout = 19s`)).toEqual([
      expect.stringMatching(
        /node_timeout = 19s: leaves no time to end runs .*kill_wait = 10s.* write node_timeout = 20s or more, a shorter kill_wait, or fence = off/,
      ),
    ])
    // What nobody has written makes room for itself.
    expect(mistakes(`${own}kill_wait = 40s`)).toEqual([])
    expect(mistakes(`${own}node_timeout = 20s`)).toEqual([])
    expect(mistakes(`${own}node_timeout = 4s\nkill_wait = 1s`)).toHaveLength(1)
  })

  test('do not matter where nothing is fenced, or no other node can be', () => {
    expect(mistakes(`${own}kill_wait = 40s\nfence = off`)).toEqual([])
    expect(mistakes('[taskd]\nkill_wait = 40s')).toEqual([])
  })
})

describe('socket paths that the kernel does not take', () => {
  const long = `/tmp/${'x'.repeat(100)}`

  test('are refused for the control socket and for the embedded Redis', () => {
    expect(mistakes(`[taskd]\ndata_dir = ${long}`)).toEqual([
      expect.stringContaining(`/taskd.sock: 116 bytes, and the kernel takes 107. set socket =`),
      expect.stringContaining(`/redis.sock: 116 bytes, and the kernel takes 107. set a data_dir`),
    ])
    expect(mistakes(`[taskd]\nsocket = ${long}/y.sock`)).toHaveLength(1)
  })

  test('do not matter where nothing listens', () => {
    const lines = [`data_dir = ${long}`, 'socket = /tmp/x.sock', 'redis = redis://h']
    expect(settingsOf(...lines).socket).toBe('/tmp/x.sock')
  })
})

test('the folder of functions is tasks/ beside the folder of the file, or as it is set', () => {
  expect(settingsOf().tasks).toMatch(/[^/]\/tasks$/)
  expect(settingsOf().tasks).not.toContain('/conf/')
  expect(settingsOf('tasks = /srv/jobs').tasks).toBe('/srv/jobs')
})

test.each([
  ['secret_read = a\u0001b', 'cannot be sent in a header'],
  ['secret = " x "', 'cannot be sent in a header'],
  ['http_cert = x.crt', 'is of no use without http_key. add http_key'],
  ['http_key = x.key', 'is of no use without http_cert. add http_cert'],
  ['http_rate = 10', 'is not a rate'],
  ['rpc_allow = ,', 'names no host'],
  ['rpc_allow = 10.0.0.0/33', 'which is no host and no network'],
  ['rpc_allow = 10.0.0', 'which is no host and no network'],
  ['rpc_allow = http://x', 'which is no host and no network'],
  ['rpc_allow = a.b:0', 'which is no host and no network'],
  ['rpc_allow = a.b:70000', 'which is no host and no network'],
  ['rpc_allow = a.*.b', 'which is no host and no network'],
  ['rpc_allow = *', 'which is no host and no network'],
])('%j is refused', (line, words) => {
  expect(mistakes(`[taskd]\n${line}`)).toEqual([expect.stringContaining(words)])
})

test('any secret is enough to listen to other machines, and a short one is noted', () => {
  const text = '[taskd]\nhttp = 0.0.0.0:80\nsecret_pull = hush'
  const loaded = load({ 'conf/cron.ini': text })
  expect(loaded.ok && loaded.notes.map(short)).toEqual([
    expect.stringContaining('secret_pull = ******: has less than 16 characters'),
  ])
})
