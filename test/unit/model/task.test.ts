import { describe, expect, test } from 'vitest'
import { MAX_ARGUMENT_BYTES, MAX_ID_LENGTH, parseTask } from '../../../src/model/task.ts'

const script = '/var/www/points/index.php'

const parse = (fields: object) => parseTask({ script, ...fields }, 'async_tasks', 'fallback')

function task(fields: object) {
  const parsed = parse(fields)
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

function refusal(fields: object): string {
  const parsed = parse(fields)
  if (parsed.ok) throw new Error(`was taken: ${JSON.stringify(parsed.value)}`)
  return parsed.reason
}

describe('a task', () => {
  test('is what the message says', () => {
    const message = {
      task_key: 'async_tasks',
      script,
      controller: 'api/AccumulatePay',
      function: 'execute',
      param: { 字段1: '字段1值' },
    }
    expect(parseTask(message, 'async_tasks', 'made-up')).toEqual({
      ok: true,
      value: {
        id: 'made-up',
        taskKey: 'async_tasks',
        script,
        controller: 'api/AccumulatePay',
        function: 'execute',
        param: '%E5%AD%97%E6%AE%B51=%E5%AD%97%E6%AE%B51%E5%80%BC',
        job: '',
        priority: 5,
        retries: 0,
        retryIntervalsMs: [],
      },
    })
  })

  test('belongs to the list it came from, whatever the message says', () => {
    expect(task({ task_key: 'sync_tasks' }).taskKey).toBe('async_tasks')
  })

  test('takes every optional field', () => {
    const full = task({
      unique_task_id: 'order-17',
      start_time: 1_800_000_000,
      max_run_time: 90,
      time_interval: '10 60 300',
      priority: 1,
      reply_to: 'answers',
    })
    expect(full).toMatchObject({
      id: 'order-17',
      startAt: 1_800_000_000_000,
      maxRunTimeMs: 90_000,
      retries: 3,
      retryIntervalsMs: [10_000, 60_000, 300_000],
      priority: 1,
      replyTo: 'answers',
    })
  })

  test('without the optional fields, or with null or "" in them, has none of them', () => {
    const names = ['unique_task_id', 'start_time', 'max_run_time', 'time_interval', 'priority']
    for (const value of [null, '']) {
      const fields = Object.fromEntries([...names, 'reply_to', 'param'].map(name => [name, value]))
      expect(task(fields)).toEqual(task({}))
    }
    expect(Object.keys(task({}))).not.toContain('startAt')
  })

  test('cannot ask to be carried out otherwise than as a script', () => {
    const wish = { call: 'function', rowId: 3, row_id: 3, job: 'task:points', user: 'root' }
    expect(task(wish)).toEqual(task({}))
    expect(task({ ...wish, call: 'rpc' })).toEqual(task({}))
  })

  test('is frozen, and so are its intervals', () => {
    expect(Object.isFrozen(task({}))).toBe(true)
    expect(Object.isFrozen(task({ time_interval: '1' }).retryIntervalsMs)).toBe(true)
  })

  test.each([
    ['null', null],
    ['a number', 17],
    ['a string', 'script'],
    ['a list', [{ script }]],
  ])('is not made of %s', (_what, message) => {
    expect(parseTask(message, 'q', 'id')).toEqual({ ok: false, reason: 'not a JSON object' })
  })

  test('needs a script', () => {
    for (const value of [undefined, null, '']) expect(refusal({ script: value })).toMatch(/missing/)
  })

  test.each(['script', 'controller', 'function', 'unique_task_id', 'reply_to'])(
    'wants %s as a text, without NUL and short enough for one argument',
    name => {
      for (const value of [{}, [], true, 1.5]) expect(refusal({ [name]: value })).toContain(name)
      expect(refusal({ [name]: 'a\0b' })).toBe(`"${name}" has a NUL byte`)
      expect(refusal({ [name]: 'é'.repeat(MAX_ARGUMENT_BYTES / 2 + 1) })).toContain('longer than')
    },
  )
})

describe('the id', () => {
  test.each([
    ['digits', '17', '17'],
    ['a number', 17, '17'],
    ['a negative number', -5, '-5'],
    ['0', 0, '0'],
    ['colons', 'a:b:c', 'a:b:c'],
    ['19 digits', '1234567890123456789', '1234567890123456789'],
  ])('may be %s', (_what, given, id) => {
    expect(task({ unique_task_id: given }).id).toBe(id)
  })

  test.each([
    ['too long', 'x'.repeat(MAX_ID_LENGTH + 1), /longer than 255/],
    ['with a line break', 'a\nb', /control characters/],
    ['a fraction', 1.5, /not a string/],
    ['a number that lost its tail', 2 ** 60, /not a string/],
  ])('is refused when it is %s', (_what, given, reason) => {
    expect(refusal({ unique_task_id: given })).toMatch(reason)
  })

  test('may have 255 characters', () => {
    expect(task({ unique_task_id: 'x'.repeat(MAX_ID_LENGTH) }).id).toHaveLength(MAX_ID_LENGTH)
  })
})

describe('start_time', () => {
  test.each([
    [1_800_000_000, 1_800_000_000_000],
    ['1800000000', 1_800_000_000_000],
    ['1800000000.5', 1_800_000_000_500],
    [1_800_000_000.25, 1_800_000_000_250],
    ['2027-01-15T08:00:00Z', 1_800_000_000_000],
    ['2027-01-15T08:00:00.250+00:00', 1_800_000_000_250],
    ['2027-01-15T09:00:00+0100', 1_800_000_000_000],
  ])('%s is an instant', (given, ms) => {
    expect(task({ start_time: given }).startAt).toBe(ms)
  })

  test('without an offset is local time', () => {
    const local = new Date(2027, 0, 15, 8, 30).getTime()
    expect(task({ start_time: '2027-01-15 08:30:00' }).startAt).toBe(local)
    expect(task({ start_time: '2027-01-15T08:30' }).startAt).toBe(local)
  })

  test('0 is no start time, as in PHP code that has none', () => {
    expect(task({ start_time: 0 }).startAt).toBeUndefined()
  })

  test.each<unknown>([
    'tomorrow',
    'order 5',
    '15/01/2027',
    '-5',
    '1e400',
    -5,
    1e300,
    true,
    [1_800_000_000],
    { date: '2027-01-15' },
    { toString: null, valueOf: null },
  ])('%j is refused', given => {
    expect(refusal({ start_time: given })).toMatch(/"start_time" is neither/)
  })
})

describe('a start_time that is no time', () => {
  test.each([
    [1_795_255_200_000, 'beyond the year 9999. milliseconds? write 1795255200'],
    ['1795255200123', 'beyond the year 9999. milliseconds? write 1795255200.123'],
    ['253402300800', 'beyond the year 9999. milliseconds? write 253402300.8'],
    ['1795255200000000', 'beyond the year 9999. write seconds'],
    ['2027-02-30T00:00:00Z', 'there is no such day'],
    ['2026-02-29', 'there is no such day'],
    ['2027-13-01T00:00:00Z', 'there is no such day'],
    ['2027-01-15T25:00:00Z', 'there is no such time of day'],
    ['2027-01-15T24:00:00Z', 'there is no such time of day'],
    ['2027-01-15T10:00:00+99:00', 'there is no such offset'],
    ['0001-01-01T00:00:00Z', 'before 1970'],
  ])('%s: %s', (given, reason) => {
    expect(refusal({ start_time: given })).toContain(`"start_time" ${given}: `)
    expect(refusal({ start_time: given })).toContain(reason)
  })

  test('the last second of the year 9999 is one', () => {
    expect(task({ start_time: 253_402_300_799 }).startAt).toBe(253_402_300_799_000)
  })
})

describe('numbers', () => {
  test.each([
    [90, 90_000],
    ['90', 90_000],
    [0.5, 500],
    [1e9, 1e12],
  ])('max_run_time %j is taken', (given, ms) => {
    expect(task({ max_run_time: given }).maxRunTimeMs).toBe(ms)
  })

  test.each<unknown>([0, -1, 'soon', '1 2', true, [5], {}, { valueOf: null, toString: null }])(
    'max_run_time %j is refused',
    given => {
      expect(refusal({ max_run_time: given })).toMatch(/"max_run_time" is not a positive number/)
    },
  )

  test.each([1e10, 1e12, '1e400'])('max_run_time %j is too much', given => {
    expect(refusal({ max_run_time: given })).toMatch(
      /"max_run_time" is more than 1000000000 seconds/,
    )
  })

  test.each([1, 9, '3'])('priority %j is taken', given => {
    expect(task({ priority: given }).priority).toBe(Number(given))
  })

  test.each([0, 10, 2.5, 'high', -1])('priority %j is refused', given => {
    expect(refusal({ priority: given })).toMatch(/"priority" is not/)
  })

  test.each([
    ['10 60 300', [10_000, 60_000, 300_000]],
    ['  10\t60 ', [10_000, 60_000]],
    [
      [10, '60', 0.5],
      [10_000, 60_000, 500],
    ],
    [10, [10_000]],
    ['0', [0]],
    [[], []],
  ])('time_interval %j is taken', (given, ms) => {
    expect(task({ time_interval: given }).retryIntervalsMs).toEqual(ms)
  })

  test.each<unknown>([
    'often',
    '10,60',
    '-1',
    [null],
    [[1]],
    [''],
    { every: 10 },
    true,
    [{ toString: null, valueOf: null }],
    { toString: null, valueOf: null },
    Array.from({ length: 1001 }, () => 1),
  ])('time_interval %j is refused', given => {
    expect(refusal({ time_interval: given })).toMatch(/"time_interval" is not a list/)
  })
})

describe('param', () => {
  test.each([
    ['a=1&b=%20', 'a=1&b=%20'],
    [17, '17'],
    [1.5, '1.5'],
    [true, '1'],
    [false, '0'],
    [null, ''],
    [{}, ''],
    [[], ''],
    [['x', 'y'], '0=x&1=y'],
    [{ a: { b: [1, true, null, false] } }, 'a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B1%5D=1&a%5Bb%5D%5B3%5D=0'],
  ])('%j becomes %j', (given, param) => {
    expect(task({ param: given }).param).toBe(param)
  })

  test.each(["it's", '"', '; rm -rf /', '$(id)', '`id`', 'a\nb', '&&', '\\', '%00'])(
    'the text %j stays as it is',
    given => {
      expect(task({ param: given }).param).toBe(given)
    },
  )

  test('is refused when it is nested too deep, has a NUL, or is too long once it is encoded', () => {
    let deep: object = { a: 1 }
    for (let n = 0; n < 100; n += 1) deep = { a: deep }
    expect(refusal({ param: deep })).toMatch(/nested more than 64 levels/)
    expect(refusal({ param: 'a\0' })).toBe('"param" has a NUL byte')
    expect(refusal({ param: { a: '字'.repeat(20_000) } })).toMatch(/"param" is longer than/)
    expect(task({ param: { a: '\0' } }).param).toBe('a=%00')
  })
})

describe('hostile messages', () => {
  test('a field may not come from a prototype', () => {
    const message: unknown = JSON.parse('{"__proto__":{"script":"/bin/true"}}')
    expect(parseTask(message, 'q', 'id')).toMatchObject({ ok: false })
    const inherited = Object.create({ script: '/bin/true' }) as object
    expect(parseTask(inherited, 'q', 'id')).toMatchObject({ ok: false })
  })

  test('keys of param such as __proto__ are keys, and change nothing else', () => {
    const param: unknown = JSON.parse('{"__proto__":{"x":"1"},"constructor":"c"}')
    expect(task({ param }).param).toBe('__proto__%5Bx%5D=1&constructor=c')
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})
