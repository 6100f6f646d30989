import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildQuery } from '../../../src/model/http-build-query.ts'
import { type Bench, bench } from '../../support/runs.ts'

/** Reads JSON lines, answers each with what PHP itself makes of it. */
const PROGRAM = `
while (($line = fgets(STDIN)) !== false) {
  $given = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
  parse_str($given['query'], $parsed);
  echo json_encode(['built' => http_build_query($given['value']), 'parsed' => (object) $parsed]), "\\n";
}`

interface FromPhp {
  readonly built: string
  readonly parsed: unknown
}

const query = (value: object) => {
  const built = buildQuery(value)
  if (!built.ok) throw new Error(built.reason)
  return built.value
}

/** Asks php about many values in one process. */
function php(values: readonly object[]): FromPhp[] {
  const input = values.map(value => JSON.stringify({ value, query: query(value) })).join('\n')
  const output = execFileSync('php', ['-d', 'max_input_vars=100000', '-r', PROGRAM], { input })
  return output
    .toString()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as FromPhp)
}

let runs: Bench
beforeAll(() => {
  runs = bench()
})
afterAll(() => runs.folder.remove())

describe('a param that is an object, in PHP', () => {
  const values: object[] = [
    { 字段1: '字段1值' },
    { a: { b: [1, true, false, null, 'x'] }, c: '' },
    ['x', ['y', { z: 1 }]],
    { 'a b': '1+1=2&3', "it's": '"~!*()-_.' },
    { a: [], b: {}, c: null },
    { n: 0, f: 0.5, neg: -17 },
    { '': { a: 1, '': 'x' }, b: { '': 2 } },
    { '10': 'a', '9': 'b' },
    { emoji: '😀', newline: 'a\nb\r\n', percent: '100%' },
  ]

  test('is the very text that http_build_query makes', () => {
    const made = php(values)
    // The order of keys that are numbers is the one thing JSON objects of JavaScript lose.
    const sorted = (text: string) => text.split('&').toSorted()
    expect(made.map(one => sorted(one.built))).toEqual(values.map(value => sorted(query(value))))
  })

  test('any object of texts comes back from parse_str as it was', () => {
    // PHP makes `_` of blanks, dots and brackets in a variable's name; that is its own.
    const name = fc.stringMatching(/^[a-z字é][\w字é-]{0,8}$/)
    const { tree } = fc.letrec<{ tree: object; leaf: string }>(tie => ({
      leaf: fc.string({ unit: 'grapheme', maxLength: 20 }),
      tree: fc.oneof(
        { maxDepth: 3 },
        fc.dictionary(name, tie('leaf'), { minKeys: 1, maxKeys: 4 }),
        fc.dictionary(name, fc.oneof(tie('leaf'), tie('tree')), { minKeys: 1, maxKeys: 4 }),
      ),
    }))
    const trees = fc.sample(tree, { numRuns: 300, seed: 17 }).map(one => ({ ...one }))
    expect(php(trees).map(one => one.parsed)).toEqual(trees.map(one => structuredClone(one)))
  })

  test('arrives in a real script as `parse_str($argv[3], $p)` gives it', async () => {
    const script = runs.write(
      'echo.php',
      '<?php parse_str($argv[3], $p); echo json_encode(["code" => "succ", "data" => $p]);',
    )
    const value = { order: { lines: [{ sku: 'a&b', n: 2 }], note: "it's; $(id)" } }
    const ended = await runs.start(script, { param: query(value) }).ending
    expect(JSON.parse(ended.stdout)).toEqual({
      code: 'succ',
      data: { order: { lines: [{ sku: 'a&b', n: '2' }], note: "it's; $(id)" } },
    })
  })
})
