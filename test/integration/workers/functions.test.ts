import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aProject, type Project } from '../../support/functions.ts'

let project: Project
beforeAll(() => {
  project = aProject()
})
afterAll(() => project.folder.remove())

const CONTEXT = { sub_task_id: 7, trace_id: 'task-1:1' }
const ARGS = '1,"a b",{"x":[null,"é"]},true'
const VALUES = [1, 'a b', { x: [null, 'é'] }, true]

/** The same function in each language: it answers with what it was given. */
const ECHOES: Readonly<Record<string, string>> = {
  '.js': 'exports.NAME = (...given) => ({ given })',
  '.mjs': 'export async function NAME(...given) { return { given } }',
  '.ts': 'export const NAME = async (...given: unknown[]): Promise<object> => ({ given })',
  '.py':
    'async def NAME(task_key, *args, **kwargs):\n    return {"given": [task_key, *args, kwargs]}\n',
  '.php': '<?php function NAME(...$given) { return ["given" => $given]; }',
}

function echo(ending: string): string {
  const name = `echo_${ending.slice(1)}`
  project.write(`cron/${name}${ending}`, (ECHOES[ending] ?? '').replaceAll('NAME', name))
  return name
}

describe.each(Object.keys(ECHOES))('a function in a %s file', ending => {
  test('gets the task_key, the args, and the ids of its run', async () => {
    const { result } = await project.run(echo(ending), ARGS)
    expect(result).toMatchObject({ outcome: 'succ', kind: '' })
    const data = { given: ['points', ...VALUES, CONTEXT] }
    expect(result.answer).toEqual({ code: 'succ', msg: '', data })
  })

  test('gets no more than that where there are no args, and no row', async () => {
    const options = { functionCall: { subTaskId: null, traceId: 'x:2' } }
    const { result } = await project.run(echo(ending), '  ', {}, options)
    const data = { given: ['points', { sub_task_id: null, trace_id: 'x:2' }] }
    expect(result.answer.data).toEqual(data)
  })

  test('is found in the folder of its trigger only', async () => {
    const { result } = await project.run(echo(ending), '', { controller: 'interval' })
    const folder = join(project.tasks, 'interval')
    expect(result).toMatchObject({ outcome: 'fail', kind: 'spawn', retryable: true })
    expect(result.answer.msg).toBe(
      `no function echo_${ending.slice(1)} in ${folder}: looked for echo_${ending.slice(1)}.js, .mjs, .ts, .py, .php`,
    )
  })
})

/** What a function returns or does, in JavaScript, Python and PHP, and what is said of it. */
type Cases = readonly (readonly [string, string, string, string, object])[]
const CASES: Cases = [
  [
    'returns nothing',
    'export const NAME = () => {}',
    'def NAME(task_key):\n    pass\n',
    '<?php function NAME() {}',
    { outcome: 'succ', answer: { code: 'succ', msg: '', data: [] } },
  ],
  [
    'returns an answer',
    'export const NAME = () => ({ code: "later", msg: "m", data: [1] })',
    'def NAME(task_key):\n    return {"code": "later", "msg": "m", "data": [1]}\n',
    '<?php function NAME() { return ["code" => "later", "msg" => "m", "data" => [1]]; }',
    { outcome: 'other', kind: 'answer', answer: { code: 'later', msg: 'm', data: [1] } },
  ],
  [
    'returns a number of 19 digits',
    'export const NAME = () => ({ id: 1234567890123456789n })',
    'def NAME(task_key):\n    return {"id": 1234567890123456789}\n',
    '<?php function NAME() { return ["id" => 1234567890123456789]; }',
    {
      outcome: 'succ',
      answer: {
        data: { text: expect.stringMatching(/^\{"id": ?1234567890123456789\}$/) },
      },
    },
  ],
  [
    'answers that it has failed',
    'export const NAME = async () => ({ code: "fail", msg: "no" })',
    'async def NAME(task_key):\n    return {"code": "fail", "msg": "no"}\n',
    '<?php function NAME() { return ["code" => "fail", "msg" => "no"]; }',
    {
      outcome: 'fail',
      kind: 'answer',
      retryable: true,
      answer: { code: 'fail', msg: 'no', data: [] },
    },
  ],
  [
    'writes before it returns, with no end of the line',
    'export const NAME = () => { process.stdout.write(`{"code":"fail"} half`); return "r" }',
    'def NAME(task_key):\n    print(\'{"code":"fail"} half\', end="")\n    return "r"\n',
    '<?php function NAME() { ob_start(); echo \'{"code":"fail"} half\'; return "r"; }',
    { outcome: 'succ', answer: { code: 'succ', msg: '', data: 'r' } },
  ],
  [
    'throws',
    'export const NAME = () => { throw new RangeError("too far") }',
    'def NAME(task_key):\n    raise ValueError("too far")\n',
    '<?php function NAME() { throw new RangeException("too far"); }',
    {
      outcome: 'fail',
      kind: 'exit',
      exitCode: 1,
      answer: { msg: expect.stringMatching(/^(RangeError|ValueError|RangeException): too far$/) },
    },
  ],
  [
    'returns what goes round in a circle',
    'export const NAME = () => { const a = []; a.push(a); return a }',
    'def NAME(task_key):\n    a = []\n    a.append(a)\n    return a\n',
    '<?php function NAME() { $a = new stdClass; $a->a = $a; return $a; }',
    {
      outcome: 'fail',
      kind: 'exit',
      answer: { msg: expect.stringContaining('returned what JSON cannot hold: ') },
    },
  ],
  [
    'returns bytes',
    'export const NAME = () => Buffer.from([255, 0])',
    'def NAME(task_key):\n    return b"\\xff\\x00"\n',
    '<?php function NAME() { return "\\xff\\x00"; }',
    { outcome: 'fail', kind: 'exit', answer: { msg: expect.stringMatching(/JSON cannot hold/) } },
  ],
  [
    'returns more than a row can hold',
    'export const NAME = () => ({ code: "fail", msg: "much", data: "é".repeat(2 << 20) })',
    'def NAME(task_key):\n    return {"code": "fail", "msg": "much", "data": "é" * (2 << 20)}\n',
    '<?php function NAME() { return ["code" => "fail", "msg" => "much", "data" => str_repeat("é", 2 << 20)]; }',
    { outcome: 'fail', kind: 'answer', answer: { code: 'fail', msg: 'much', data: [] } },
  ],
  [
    'leaves its process',
    'export const NAME = () => { console.log("bye"); process.exit(0) }',
    'import os\ndef NAME(task_key):\n    os._exit(0)\n',
    '<?php function NAME() { echo "bye"; exit; }',
    {
      outcome: 'fail',
      kind: 'exit',
      exitCode: 0,
      answer: {
        msg: expect.stringMatching(/ ended its process \(exit code 0\) before it returned$/),
      },
    },
  ],
  [
    'leaves its process with a code',
    'export const NAME = () => process.exit(3)',
    'import sys\ndef NAME(task_key):\n    sys.exit(3)\n',
    '<?php function NAME() { exit(3); }',
    { outcome: 'fail', kind: 'exit', exitCode: 3, answer: { msg: 'exit code 3' } },
  ],
  [
    'is ended by a signal',
    'export const NAME = () => { process.kill(process.pid, "SIGKILL") }',
    'import os\ndef NAME(task_key):\n    os.kill(os.getpid(), 9)\n',
    '<?php function NAME() { posix_kill(getmypid(), 9); }',
    { outcome: 'fail', kind: 'signal', signal: 'SIGKILL' },
  ],
  [
    'is not there, though others are',
    'export const a = () => 1, b = () => 2',
    'def a(): pass\ndef b(): pass\n',
    '<?php function a() {} function b() {}',
    {
      outcome: 'fail',
      kind: 'exit',
      answer: {
        msg: expect.stringMatching(
          /^no function \w+ in \/.*\/tasks\/cron\/\w+\.\w+; it (exports|defines) a, b$/,
        ),
      },
    },
  ],
  [
    'cannot be read',
    'export const NAME = [1 2]',
    'def NAME(:\n',
    '<?php function NAME( {',
    {
      outcome: 'fail',
      kind: 'exit',
      exitCode: 1,
      // One line with the place, as far as the language tells it; the output has it in any case.
      answer: {
        msg: expect.stringMatching(
          /^(SyntaxError|ParseError): .*case_cannot_be_read_\w+\.\w+.*\)$/,
        ),
      },
      output: expect.stringMatching(/case_cannot_be_read_\w+\.\w+(", line |:)1\b/),
    },
  ],
]

describe.each(CASES)('a function that %s', (what, mjs, py, php, expected) => {
  const files = [
    ['.mjs', mjs],
    ['.py', py],
    ['.php', php],
  ] as const
  test.each(files)('in a %s file is told clearly', async (ending, text) => {
    const name = `case_${what.replaceAll(/\W/g, '_')}_${ending.slice(1)}`
    project.write(`cron/${name}${ending}`, text.replaceAll('NAME', name))
    const { result } = await project.run(name)
    expect(result).toMatchObject(expected)
  })
})

test('the trace of what was thrown is kept, with the line in the TypeScript file', async () => {
  const lines = ['interface X {', '  a: number', '}', '', 'export function thrower(): X {']
  project.write('cron/thrower.ts', `${lines.join('\n')}\n  throw new Error('here')\n}\n`)
  const { result } = await project.run('thrower')
  expect(result).toMatchObject({ kind: 'exit', answer: { msg: 'here' } })
  expect(result.output).toContain('tasks/cron/thrower.ts:6:')
})

test('TypeScript needs no build: imports of other files, enums and types work, again and again', async () => {
  project.write('/lib/money.ts', 'export enum Coin { Euro = 3 }\nexport type Sum = { n: number }\n')
  project.write(
    'cron/sum.ts',
    "import { Coin, type Sum } from '../../lib/money.ts'\nexport default (_key: string, n: number): Sum => ({ n: n + Coin.Euro })\n",
  )
  for (const n of [1, 2]) {
    const { result } = await project.run('sum', String(n))
    expect(result.answer).toEqual({ code: 'succ', msg: '', data: { n: n + 3 } })
  }
  expect(existsSync(join(project.folder.path, 'cache', 'functions'))).toBe(true)
  // A change is seen, whatever was kept.
  project.write('/lib/money.ts', 'export enum Coin { Euro = 5 }\nexport type Sum = { n: number }\n')
  expect((await project.run('sum', '1')).result.answer.data).toEqual({ n: 6 })
})

test('modules in .js files work where nothing says that they are any', async () => {
  project.write('cron/esm.js', "import { sep } from 'node:path'\nexport const esm = () => sep\n")
  const environment = {
    NODE_OPTIONS: '--no-experimental-detect-module --no-experimental-require-module',
  }
  const { result } = await project.run('esm', '', {}, { environment })
  expect(result.answer.data).toBe('/')
})

test('a default export and what module.exports holds are found', async () => {
  project.write('cron/main.mjs', 'export default key => key')
  project.write('cron/held.js', 'module.exports = Object.fromEntries([["held", key => key]])')
  project.write('cron/whole.js', 'module.exports = key => key')
  project.write('cron/closure.php', '<?php return fn ($key) => $key;')
  for (const name of ['main', 'held', 'whole', 'closure'])
    expect((await project.run(name)).result.answer.data).toBe('points')
})

test('what JavaScript has and JSON has not is refused by name', async () => {
  const values: Readonly<Record<string, string>> = {
    made_of_bytes: 'new Uint8Array(3)',
    map: 'new Map([[1, 2]])',
    made: '(function* () {})()',
    fn: '() => 1',
  }
  for (const [name, value] of Object.entries(values)) {
    project.write(`cron/${name}.mjs`, `export const ${name} = () => (${value})`)
    const { result } = await project.run(name)
    expect(result).toMatchObject({ outcome: 'fail', exitCode: 1 })
    expect(result.answer.msg).toMatch(new RegExp(`^${name} returned .*JSON cannot hold`))
  }
})

test('timers, servers and rejected promises beside it do not hold the process or hide the answer', async () => {
  project.write(
    'cron/open.mjs',
    `import { createServer } from 'node:net'
export async function open() { setInterval(() => {}, 1000); createServer().listen(0, '127.0.0.1'); return 'done' }`,
  )
  expect((await project.run('open')).result.answer.data).toBe('done')
  project.write(
    'cron/beside.mjs',
    'export const beside = () => { Promise.reject(new Error("beside")); return new Promise(() => setInterval(() => {}, 1000)) }',
  )
  expect((await project.run('beside')).result.answer).toMatchObject({ code: 'fail', msg: 'beside' })
  project.write('cron/never.mjs', 'export const never = () => new Promise(() => {})')
  const { msg } = (await project.run('never')).result.answer
  expect(msg).toBe('never waits for a promise that nothing can settle any more')
})

test('a thread of Python that goes on does not hold the process', async () => {
  const text =
    'import threading, time\ndef threads(key):\n    threading.Thread(target=time.sleep, args=(600,)).start()\n    return key\n'
  project.write('cron/threads.py', text)
  expect((await project.run('threads')).result.answer.data).toBe('points')
})

test('Python passes what the function takes, and no more', async () => {
  const functions: Readonly<Record<string, readonly [string, object]>> = {
    bare: ['def bare(key, a):\n    return [key, a]\n', ['points', 5]],
    one: ['def one(key, a, *, trace_id):\n    return [a, trace_id]\n', [5, 'task-1:1']],
    place: ['def place(key, a, sub_task_id=0):\n    return [a, sub_task_id]\n', [5, 7]],
    taken: [
      'def taken(key, sub_task_id, **rest):\n    return [sub_task_id, rest]\n',
      [5, { trace_id: 'task-1:1' }],
    ],
  }
  for (const [name, [text, data]] of Object.entries(functions)) {
    project.write(`cron/${name}.py`, text)
    expect((await project.run(name, '5')).result.answer.data).toEqual(data)
  }
})

test('the project is where it runs, and where Python imports from', async () => {
  project.write('/libs/shop.py', 'NAME = "shop"\n')
  project.write('cron/beside_me.py', 'NAME = "beside"\n')
  const imports = 'import os\nfrom libs.shop import NAME as a\nfrom .beside_me import NAME as b\n'
  project.write(
    'cron/importer.py',
    `${imports}def importer(key):\n    return [a, b, os.getcwd()]\n`,
  )
  const { result } = await project.run('importer')
  expect(result.answer.data).toEqual(['shop', 'beside', project.folder.path])
  project.write('cron/cwd.mjs', 'export const cwd = () => process.cwd()')
  expect((await project.run('cwd')).result.answer.data).toBe(project.folder.path)
})

test('numbers that JavaScript cannot hold reach the others whole', async () => {
  project.write('cron/big_py.py', 'def big_py(key, n):\n    return str(n)\n')
  project.write('cron/big_php.php', '<?php function big_php($key, $n) { return (string) $n; }')
  const n = '9007199254740993'
  expect((await project.run('big_py', n)).result.answer.data).toBe(n)
  expect((await project.run('big_php', n)).result.answer.data).toBe(n)
})

test('a function of PHP with the name of one that PHP has is that of the file or none', async () => {
  project.write('cron/system.php', '<?php function other() {}')
  const { msg } = (await project.run('system', '"true"')).result.answer
  expect(msg).toMatch(/^no function system in .*; it defines other$/)
})

test('the examples answer', async () => {
  const tasks = resolve('examples/tasks')
  const environment = { PYTHONDONTWRITEBYTECODE: '1' }
  const answerOf = async (controller: string, name: string, args: string) =>
    (await project.run(name, args, { controller }, { tasks, environment })).result.answer
  expect(await answerOf('cron', 'points_report', '7,"north"')).toMatchObject({
    data: { region: 'north', days: 7, points: 700 },
  })
  expect(await answerOf('date', 'open_sale', '42')).toMatchObject({ msg: 'sale 42 is open' })
  expect(await answerOf('interval', 'warm_cache', '["/","/points"]')).toMatchObject({
    data: { warmed: 2 },
  })
  expect(await answerOf('interval', 'count_orders', '')).toMatchObject({
    data: { orders: 2, cents: 2200 },
  })
})

test('two files of one name are refused, both named', async () => {
  project.write('cron/twice.py', '')
  project.write('cron/twice.js', '')
  const { result } = await project.run('twice')
  expect(result).toMatchObject({ kind: 'spawn', retryable: true })
  expect(result.answer.msg).toBe(
    `function twice is there 2 times in ${project.tasks}/cron: twice.js, twice.py. keep one`,
  )
})

test('args travel by no shell, and bad ones are told before anything runs', async () => {
  const name = echo('.js')
  const nasty = `$(touch ${project.folder.path}/pwned); \`id\` ' " \\ \n --eval=1`
  const { result } = await project.run(name, JSON.stringify(nasty))
  expect((result.answer.data as { given: unknown[] }).given[1]).toBe(nasty)
  expect(existsSync(join(project.folder.path, 'pwned'))).toBe(false)
  for (const bad of ['1,', '1],[2', '{', '"x', 'a"b']) {
    const refused = (await project.run(name, bad)).result
    expect(refused).toMatchObject({ kind: 'spawn' })
    expect(refused.answer.msg).toContain('args is no list of JSON values and words')
  }
})

test('no name leads out of the folder, and no link does', async () => {
  project.write('/secret.js', 'exports.secret = () => "seen"')
  symlinkSync(join(project.folder.path, 'secret.js'), join(project.tasks, 'cron', 'link.js'))
  for (const name of [
    '../../secret',
    '/etc/passwd',
    '..',
    '.',
    '',
    'a/b',
    'a\\b',
    '.hidden',
    'a\0b',
    'x'.repeat(300),
  ])
    expect((await project.run(name)).result).toMatchObject({ outcome: 'fail', kind: 'spawn' })
  for (const controller of ['..', '', '../..', 'cron/..', '/'])
    expect((await project.run('secret', '', { controller })).result.kind).toBe('spawn')
  const linked = (await project.run('link')).result
  expect(linked).toMatchObject({
    kind: 'spawn',
    answer: { msg: expect.stringContaining(`link.js in ${project.tasks}/cron: leads out of it`) },
  })
  expect(readFileSync(join(project.folder.path, 'secret.js'), 'utf8')).toContain('seen')
})
