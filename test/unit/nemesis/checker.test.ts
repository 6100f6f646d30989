import { describe, expect, it } from 'vitest'
import { check } from '../../nemesis/checker.ts'
import type { Cut, Fault, HandedIn, History, Look } from '../../nemesis/history.ts'
import { parseLedger } from '../../nemesis/ledger.ts'

/** A ledger, as the scripts write it: `b` and `e` are begin and end. */
const ledger = (text: string) =>
  parseLedger(
    text
      .trim()
      .split('\n')
      .filter(Boolean)
      .map(line => line.trim().replace(/^b /, 'begin ').replace(/^e /, 'end ')),
  )

const task = (id: string, other: Partial<HandedIn> = {}): HandedIn => ({
  id,
  taskKey: 'async_tasks',
  at: 9,
  answer: 'accepted',
  how: 'succ',
  retries: 0,
  ...other,
})

const fault = (name: string, from: number, to: number, other: Partial<Fault> = {}): Fault => ({
  name,
  what: '',
  from,
  to,
  cuts: [],
  away: [],
  mute: [],
  ...other,
})

const cutting = (from: number, scope: Cut['scope']) =>
  fault('kill', from, from, { cuts: [{ from, to: from, scope }] })

/** All went well, but for what a test makes of it. */
const history = (other: Partial<History> = {}): History => ({
  tasks: [],
  runs: [],
  faults: [],
  verdicts: new Map((other.tasks ?? []).map(({ id }) => [id, [{ state: 'completed' }]])),
  failRows: [],
  executeRows: [],
  sourceRows: [],
  committedRows: [],
  jobs: [],
  wallLessUptime: 1000,
  pauses: [],
  looks: [],
  left: [],
  unrest: [],
  ...other,
})

const rules = (other: Partial<History>) =>
  check(history(other)).map(one => `${one.rule}: ${one.what}`)

const ONCE = `
  b 10.00 ann-async_tasks-1 1 501 alone a succ
  e 10.20 ann-async_tasks-1 1 501 alone a succ`
const AGAIN = `${ONCE}
  b 12.00 bob-async_tasks-1 2 502 alone a succ
  e 12.20 bob-async_tasks-1 2 502 alone a succ`
const CUT_OFF = `
  b 10.00 ann-async_tasks-1 1 501 alone a succ
  b 12.00 bob-async_tasks-1 2 502 alone a succ
  e 12.20 bob-async_tasks-1 2 502 alone a succ`

/** A tick (the `uptime` of its time), the moment at which its run begins, and its pass. */
type TickRun = readonly [tick: number, begin: number, pass?: number | undefined]

describe('the checker of the nemesis', () => {
  it('finds nothing where all went well', () => {
    expect(rules({ tasks: [task('a')], runs: ledger(ONCE) })).toEqual([])
  })

  it('finds an accepted task without a verdict, and none where nobody had said that it was taken', () => {
    const lost = { tasks: [task('a')], verdicts: new Map() }
    expect(rules(lost)).toEqual(['accepted: a has no verdict'])
    expect(rules({ ...lost, tasks: [task('a', { answer: 'unsure' })] })).toEqual([])
  })

  it('misses no verdict of a task that was done before Redis was full, and may be forgotten', () => {
    const done = { tasks: [task('a')], runs: ledger(ONCE), verdicts: new Map() }
    const full = (from: number, to: number) =>
      rules({ ...done, faults: [fault('redis full', from, to)] })
    expect(full(20, 30)).toEqual([])
    expect(full(5, 9)).toEqual(['accepted: a has no verdict'])
    expect(rules({ ...done, runs: [], faults: [fault('redis full', 20, 30)] })).toEqual([
      'accepted: a has no verdict',
    ])
  })

  it('finds a task that counts as done and never ran, or has two verdicts', () => {
    expect(rules({ tasks: [task('a')] })).toEqual([
      'accepted: a succeeded without a run that ended',
    ])
    const both = [{ state: 'completed' }, { state: 'failed' }] as const
    expect(
      rules({ tasks: [task('a')], runs: ledger(ONCE), verdicts: new Map([['a', both]]) }),
    ).toEqual(['accepted: a has 2 verdicts'])
  })

  it('finds a task that failed where it was to succeed, and one that succeeded where it was to fail', () => {
    const failed = new Map([['a', [{ state: 'failed' }]]]) as History['verdicts']
    expect(rules({ tasks: [task('a')], runs: ledger(ONCE), verdicts: failed })).toEqual([
      'accepted: a is failed where it was to be completed',
    ])
    const runs = ledger(ONCE.replaceAll('succ', 'fail'))
    expect(
      rules({
        tasks: [task('a', { how: 'fail' })],
        runs,
        failRows: [{ id: 'a', attempt: 1, kind: 'answer' }],
      }),
    ).toEqual(['accepted: a is completed where it was to be failed'])
  })

  it('finds a task that ran before its time', () => {
    expect(rules({ tasks: [task('a', { notBefore: 11 })], runs: ledger(ONCE) })).toEqual([
      'accepted: a ran 1.00 s before its time',
    ])
  })

  it('finds two runs of one task at once, even after a kill', () => {
    const runs = ledger(CUT_OFF.replace('502 alone a succ', '502 beside a succ'))
    const faults = [cutting(11, { kind: 'node', node: 'ann' })]
    expect(rules({ tasks: [task('a')], runs, faults })).toEqual([
      'overlap: a began at 12 while another run of it lived',
    ])
  })

  it('lets a node that is fenced off go on with async tasks, and with those alone', () => {
    const beside = CUT_OFF.replace('502 alone a succ', '502 beside a succ')
    const cuts = [{ from: 9, to: 90, scope: { kind: 'node', node: 'ann' }, fenced: true }] as const
    const faults = [fault('redis cut', 9, 90, { cuts })]
    const of = (text: string) => rules({ tasks: [task('a')], runs: ledger(text), faults })
    expect(of(beside)).toEqual([])
    expect(of(beside.replaceAll('async_tasks', 'sync_tasks'))).toEqual([
      'overlap: a began at 12 while another run of it lived',
    ])
  })

  it('finds a second run without a reason', () => {
    const double = 'double: a ran 2 times; nothing explains a run after the one of 10'
    expect(rules({ tasks: [task('a')], runs: ledger(AGAIN) })).toEqual([double])
    expect(rules({ tasks: [task('a')], runs: ledger(CUT_OFF) })).toEqual([double])
  })

  it('takes a kill of its own worker, node or process as a reason, and no other', () => {
    const double = 'double: a ran 2 times; nothing explains a run after the one of 10'
    const after = (...faults: Fault[]) =>
      rules({ tasks: [task('a')], runs: ledger(CUT_OFF), faults })
    expect(after(cutting(11, { kind: 'worker', worker: 'ann-async_tasks-1' }))).toEqual([])
    expect(after(cutting(11, { kind: 'node', node: 'ann' }))).toEqual([])
    expect(after(cutting(11, { kind: 'node', node: 'bob' }))).toEqual([double])
    expect(after(cutting(11, { kind: 'worker', worker: 'ann-sync_tasks-1' }))).toEqual([double])
    expect(after(cutting(7, { kind: 'node', node: 'ann' }))).toEqual([double])
    expect(after(fault('freeze redis', 10, 12))).toEqual([double])
  })

  it('takes no kill long after the end of a run as a reason', () => {
    const faults = [cutting(14, { kind: 'node', node: 'ann' })]
    const runs = ledger(AGAIN.replaceAll(' 12.', ' 15.'))
    expect(rules({ tasks: [task('a')], runs, faults })).toEqual([
      'double: a ran 2 times; nothing explains a run after the one of 10',
    ])
  })

  it('takes one as a reason when the worker stood still since that end', () => {
    const runs = ledger(AGAIN.replaceAll(' 12.', ' 15.'))
    const killed = cutting(14, { kind: 'worker', worker: 'ann-async_tasks-1' })
    const of = (...faults: Fault[]) => rules({ tasks: [task('a')], runs, faults })
    expect(of(killed, fault('stop worker', 9, 13, { stopped: 'ann-async_tasks-1' }))).toEqual([])
    const double = 'double: a ran 2 times; nothing explains a run after the one of 10'
    expect(of(killed, fault('stop worker', 9, 13, { stopped: 'ann-async_tasks-2' }))).toEqual([
      double,
    ])
    expect(of(fault('stop worker', 9, 13, { stopped: 'ann-async_tasks-1' }))).toEqual([double])
  })

  it('spends no try of a run that failed just as its worker was killed', () => {
    const tasks = [task('a', { how: 'fail', retries: 1 })]
    const faults = [cutting(10.1, { kind: 'worker', worker: 'ann-async_tasks-1' })]
    const third = `
      b 14.00 bob-async_tasks-1 3 503 alone a succ
      e 14.20 bob-async_tasks-1 3 503 alone a succ`
    const fourth = third.replaceAll(' 14.', ' 16.').replaceAll('3 503', '4 504')
    const doubles = (text: string) =>
      rules({ tasks, runs: ledger(text.replaceAll('succ', 'fail')), faults }).filter(one =>
        one.startsWith('double'),
      )
    expect(doubles(AGAIN + third)).toEqual([])
    expect(doubles(AGAIN + third + fourth)).toHaveLength(1)
    expect(doubles(AGAIN)).toEqual([])
  })

  it('counts the tries of a task that fails', () => {
    const runs = ledger(AGAIN.replaceAll('succ', 'fail'))
    const failRows = [1, 2].map(attempt => ({ id: 'a', attempt, kind: 'answer' }))
    const verdicts: History['verdicts'] = new Map([['a', [{ state: 'failed' }]]])
    const of = (retries: number) =>
      rules({ tasks: [task('a', { how: 'fail', retries })], runs, failRows, verdicts })
    expect(of(1)).toEqual([])
    expect(of(0)).toEqual(['double: a ran 2 times; nothing explains a run after the one of 10'])
  })

  it('finds a queue out of order, also when what comes late runs again', () => {
    const tasks = ['a', 'b'].map(id => task(id, { taskKey: 'order' }))
    const flipped = ledger(`
      b 10.00 ann-order-1 1 501 alone b succ
      e 10.20 ann-order-1 1 501 alone b succ
      b 10.30 ann-order-1 1 502 alone a succ
      e 10.40 ann-order-1 1 502 alone a succ`)
    expect(rules({ tasks, runs: flipped })).toEqual(['order: a ran after b'])
  })

  it('finds a tick that is missing, and one that is none', () => {
    const jobs = [{ name: 'every', due: [1_010_000, 1_011_000], how: 'succ', retries: 0 }] as const
    const of = (...ids: string[]) =>
      ledger(
        ids
          .map(
            (id, n) =>
              `b 10.00 ann-async_tasks-1 1 ${n} alone ${id} succ\ne 10.1 ann-async_tasks-1 1 ${n} alone ${id} succ`,
          )
          .join('\n'),
      )
    expect(rules({ jobs, runs: of('cron-every-1010000', 'cron-every-1011000') })).toEqual([])
    expect(rules({ jobs, runs: of('cron-every-1010000') })).toEqual([
      'tick: the tick of every at 1970-01-01T00:16:51.000Z (uptime 11.00) never ran',
    ])
    expect(
      rules({ jobs, runs: of('cron-every-1010000', 'cron-every-1010500', 'cron-every-1011000') }),
    ).toEqual(['tick: cron-every-1010500 is no tick of its schedule'])
  })

  describe('when the clock was set back', () => {
    const step = (by: number, from: number, to: number) =>
      fault('clock step', from, to, { clock: { by, from, to } })
    const job = (every: number, from: number, to: number) => {
      const due = []
      for (let at = from; at <= to; at += every) due.push((1000 + at) * 1000)
      return { name: 'every', due, how: 'succ', retries: 0 } as const
    }
    /** Runs of the tick of an `uptime`, each with the moment of its begin. */
    const of = (...all: TickRun[]) =>
      ledger(
        all
          .map(([tick, begin, pass], n) => {
            const id = `cron-every-${(1000 + tick) * 1000}${pass ? `-again-clock${pass}` : ''}`
            const line = `${begin} ann-async_tasks-1 1 ${n} alone ${id} succ`
            return `b ${line}\ne ${line}`
          })
          .join('\n'),
      )
    const each = (from: number, to: number, begin: (tick: number) => number, pass?: number) =>
      Array.from({ length: to - from + 1 }, (_, n): TickRun => [from + n, begin(from + n), pass])
    const at = (time: number) => time + 0.1

    // Ahead by 20 s from 30 to 40: it showed 50 to 60 then, stepped over 30 to 50, and shows 40 to 60 again.
    const ahead = [step(20, 30, 40)]
    const early = (tick: number) => (tick < 30 ? at(tick) : at(Math.max(30, tick - 20)))

    it('wants each tick once in the time that came early, and again in the time that comes again', () => {
      const jobs = [job(1, 20, 70)]
      const all = [...each(20, 59, early), ...each(60, 70, at)]
      const again = each(40, 59, at, 1)
      expect(rules({ jobs, faults: ahead, runs: of(...all, ...again) })).toEqual([])
      const silent = again.filter(([tick]) => tick !== 45)
      expect(rules({ jobs, faults: ahead, runs: of(...all, ...silent) })).toEqual([
        'tick: the tick of every at 1970-01-01T00:17:25.000Z (uptime 45.00) did not run after the clock was set back at 40',
      ])
      const late = again.filter(([tick]) => tick !== 58)
      expect(rules({ jobs, faults: ahead, runs: of(...all, ...late) })).toEqual([])
    })

    it('finds a tick of a time that was stepped over and never ran', () => {
      const jobs = [job(1, 20, 35)]
      const all = each(20, 35, early).filter(([tick]) => tick !== 33)
      expect(rules({ jobs, faults: ahead, runs: of(...all) })).toEqual([
        'tick: the tick of every at 1970-01-01T00:17:13.000Z (uptime 33.00) never ran',
      ])
    })

    it('finds a tick that runs again oftener than the clock was set back over it', () => {
      const jobs = [job(1, 20, 22)]
      const all = each(20, 22, at)
      const odd = (...more: TickRun[]) => rules({ jobs, faults: ahead, runs: of(...all, ...more) })
      expect(odd([21, 41, 1])).toEqual([
        'tick: the clock was set back over a tick of every 0 times: cron-every-1021000-again-clock1',
      ])
      const twice = rules({
        jobs: [job(1, 44, 45)],
        faults: ahead,
        runs: of(...each(44, 45, early), ...each(44, 45, at, 1), [45, 45.5, 2]),
      })
      expect(twice).toEqual([
        'tick: the clock was set back over a tick of every 1 times: cron-every-1045000-again-clock1, cron-every-1045000-again-clock2',
      ])
    })

    it('lets no tick come again where the step was shorter than the pace of the job', () => {
      const faults = [step(4, 30, 40)]
      const due = { jobs: [job(10, 20, 60)], faults }
      const all = [20, 30, 40, 50, 60].map((tick): TickRun => [tick, at(tick)])
      expect(rules({ ...due, runs: of(...all) })).toEqual([])
      expect(rules({ ...due, runs: of(...all, [40, 40.2, 1]) })).toEqual([
        'tick: the clock was set back over a tick of every 0 times: cron-every-1040000-again-clock1',
      ])
    })

    it('wants no tick again that Redis could not be asked about, or that the clock stepped over', () => {
      const jobs = [job(1, 20, 70)]
      const all = [...each(20, 59, early), ...each(60, 70, at)]
      const nobody = ['ann', 'bob'].map(
        node => ({ part: 'redis', node, from: 38, to: 66 }) as const,
      )
      const frozen = fault('freeze redis', 38, 66, { away: nobody })
      const cut = fault('redis cut', 38, 66, { away: nobody.slice(1) })
      expect(rules({ jobs, faults: [...ahead, frozen], runs: of(...all) })).toEqual([])
      expect(rules({ jobs, faults: [...ahead, cut], runs: of(...all) })).not.toEqual([])
      // Behind by 20 s from 30 to 40: it shows 10 to 20 again, and steps over 20 to 40.
      const behind = [step(-20, 30, 40)]
      const again = each(10, 19, tick => at(tick + 20), 1)
      const first = [...each(10, 29, at), ...each(30, 39, () => 40.1), ...each(40, 45, at)]
      const due = { jobs: [job(1, 10, 45)], faults: behind }
      expect(rules({ ...due, runs: of(...first, ...again) })).toEqual([])
      expect(rules({ ...due, runs: of(...first, ...again.slice(1)) })).toEqual([
        'tick: the tick of every at 1970-01-01T00:16:50.000Z (uptime 10.00) did not run after the clock was set back at 30',
      ])
    })

    it('takes the first run of a tick that was late for the one after the clock was set back', () => {
      const jobs = [job(1, 44, 45)]
      expect(rules({ jobs, faults: ahead, runs: of([44, 44.2], [45, 45.2]) })).toEqual([])
    })

    it('knows by the wrong clock which tick fell into a pause, and when a delay was over', () => {
      const pauses = [{ job: 'every', from: 31, to: 35 }]
      const paused = (...runs: TickRun[]) => rules({ faults: ahead, pauses, runs: of(...runs) })
      expect(paused([33, 30.2], [55, 35.2], [43, 43.1, 1])).toEqual([])
      expect(paused([53, 33.1])).toEqual([
        'pause: every ran for its tick of uptime 33.00, paused from 31 to 35',
      ])
      const later = (notBefore: number) =>
        rules({
          faults: ahead,
          tasks: [task('a', { notBefore })],
          runs: ledger(ONCE.replaceAll(' 10.', ' 32.')),
        })
      expect(later(51)).toEqual([])
      expect(later(53)).toEqual(['accepted: a ran 1.00 s before its time'])
    })
  })

  it('finds a tick of a paused job', () => {
    const runs = ledger(`
      b 12.01 ann-async_tasks-1 1 501 alone cron-held-1012000 succ
      e 12.20 ann-async_tasks-1 1 501 alone cron-held-1012000 succ`)
    expect(rules({ runs, pauses: [{ job: 'held', from: 13, to: 15 }] })).toEqual([])
    expect(rules({ runs, pauses: [{ job: 'held', from: 10, to: 15 }] })).toEqual([
      'pause: held ran for its tick of uptime 12.00, paused from 10 to 15',
    ])
  })

  it('finds a row of fail_log too few, too many, and of another kind', () => {
    const runs = ledger(ONCE.replaceAll('succ', 'exit'))
    const verdicts: History['verdicts'] = new Map([['a', [{ state: 'failed' }]]])
    const of = (...rows: [number, string][]) =>
      rules({
        tasks: [task('a', { how: 'exit' })],
        runs,
        verdicts,
        failRows: rows.map(([attempt, kind]) => ({ id: 'a', attempt, kind })),
      })
    expect(of([1, 'exit'])).toEqual([])
    expect(of()).toEqual(['fail_log: a has no row'])
    expect(of([1, 'exit'], [2, 'exit'])).toEqual([
      'fail_log: a has a row that nothing explains: attempt 2, kind exit',
    ])
    expect(of([1, 'exit'], [1, 'exit'])).toEqual(['fail_log: a has 2 rows of attempt 1, kind exit'])
    expect(of([1, 'lost'])).toEqual([
      'fail_log: a has a row that nothing explains: attempt 1, kind lost',
    ])
  })

  it('knows the attempt of a run that was given back by the number of its successor', () => {
    const runs = ledger(CUT_OFF.replaceAll('succ', 'exit').replaceAll('-1 2 502', '-1 1 502'))
    expect(
      rules({
        tasks: [task('a', { how: 'exit' })],
        runs,
        faults: [cutting(11, { kind: 'node', node: 'ann' })],
        verdicts: new Map([['a', [{ state: 'failed' }]]]),
        failRows: [{ id: 'a', attempt: 1, kind: 'exit' }],
      }),
    ).toEqual([])
  })

  it('finds a row of execute_task too few, in doubt, and with the wrong end', () => {
    const runs = ledger(ONCE.replaceAll('succ', 'row:7'))
    const of = (...executeRows: History['executeRows']) => rules({ runs, executeRows })
    const row = (id: number, status: string) => ({ id, status, kind: '', taskId: 'a' })
    expect(of(row(7, 'succ'))).toEqual([])
    expect(of()[0]).toContain('there is no row 7')
    expect(of(row(7, 'doing'))).toEqual(['execute_task: row 7 of a is doing , and nothing runs'])
    expect(of(row(7, 'fail'))).toEqual([
      'execute_task: row 7 of a is fail , and its run was not cut off',
    ])
    expect(of(row(7, 'succ'), row(8, 'succ'))).toEqual([
      'execute_task: row 8 of a is succ  without a run',
    ])
  })

  it('finds a row of a table queue that never ran, became two tasks, or says what is not so', () => {
    const of = (status: 'done' | 'failed' | 'taken', ...ids: string[]) =>
      rules({
        committedRows: [5],
        sourceRows: [{ row: 5, status }],
        runs: ledger(ids.map(id => ONCE.replaceAll(' a ', ` ${id} `)).join('')),
      })
    expect(of('done', 'source@rows@5@abcdef12-1')).toEqual([])
    expect(of('done')).toEqual(['table queue: row 5 never ran; it is done'])
    expect(of('done', 'source@rows@5@abcdef12-1', 'source@rows@5@abcdef12-2')).toEqual([
      'table queue: row 5 became 2 tasks',
    ])
    expect(of('taken', 'source@rows@5@abcdef12-1')).toEqual([
      'table queue: row 5 is taken where it was to be done',
    ])
  })

  it('finds a status that shows as well what is away, once it had the time to see it', () => {
    const faults = [
      fault('freeze redis', 10, 20, { away: [{ part: 'redis', node: 'ann', from: 10, to: 20 }] }),
    ]
    const look = (from: number, redis: boolean, node = 'ann'): Look => ({
      node,
      from,
      to: from + 0.1,
      answer: { ok: true, redis, database: true },
    })
    expect(rules({ faults, looks: [look(12, true), look(16, false), look(21, true)] })).toEqual([])
    expect(rules({ faults, looks: [look(16, true, 'bob')] })).toEqual([])
    expect(rules({ faults, looks: [look(16, true)] })).toEqual([
      'status: ann shows redis as well 6.0 s into: freeze redis ',
    ])
  })

  it('finds a status that does not answer, unless its daemon cannot', () => {
    const looks: Look[] = [{ node: 'ann', from: 10, to: 18, answer: { ok: false, error: 'late' } }]
    const killed = [fault('kill daemon', 11, 12, { mute: [{ node: 'ann', from: 11, to: 12 }] })]
    expect(rules({ looks })).toEqual(['status: ann did not answer from 10 to 18: late'])
    expect(rules({ looks, faults: killed })).toEqual([])
  })

  it('finds an exit code that says well where something is away', () => {
    const answer = { ok: true, redis: false, database: true, exit: 0 } as const
    expect(rules({ looks: [{ node: 'ann', from: 1, to: 2, answer }] })).toEqual([
      'status: ann: taskd status exits 0 though something is away',
    ])
  })

  it('passes on what was left behind and what did not come to rest', () => {
    expect(rules({ left: ['a process'], unrest: ['a queue waits'] })).toEqual([
      'left: left behind: a process',
      'unrest: a queue waits',
    ])
  })
})
