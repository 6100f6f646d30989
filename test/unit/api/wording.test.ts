import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { flag, integer } from '../../../src/api/fields.ts'
import { check } from '../../../src/api/input.ts'
import { reportLists } from '../../../src/api/pull-params.ts'

const schema = z.strictObject({
  bin_name: z.string().max(5).optional(),
  count: integer(1, 500).optional(),
  half: z.number().optional(),
  promote: flag().optional(),
  names: z.array(z.string().min(1)).min(1).max(2).optional(),
  seconds: z.union([z.number(), z.string()]).optional(),
  stream: z.enum(['stdout', 'stderr']).optional(),
  fields: z.record(z.string(), z.unknown()).optional(),
  ...reportLists,
})

function saidOf(value: unknown, of: z.ZodType = schema): string {
  try {
    check(of, value)
  } catch (error) {
    return String(error).replace(/^.*?the request is not understood: /, '')
  }
  return ''
}

describe('what is wrong with a parameter', () => {
  test.each([
    [{ bin_name: 5 }, 'bin_name: must be text, and is a number'],
    [{ bin_name: 'abcdef' }, 'bin_name: has more than 5 characters'],
    [{ count: 'many' }, 'count: must be a number, and is text'],
    [{ count: 1.5 }, 'count: must be a whole number, and is a number'],
    [{ count: 0 }, 'count: must be at least 1'],
    [{ count: 501 }, 'count: must be at most 500'],
    [{ half: null }, 'half: must be a number, and is null'],
    [{ promote: 'perhaps' }, 'promote: must be true or false, and is text'],
    [{ names: 'a' }, 'names: must be a list, and is text'],
    [{ names: [] }, 'names: is empty'],
    [{ names: ['a', 'b', 'c'] }, 'names: has more than 2 entries'],
    [{ names: ['a', ''] }, 'names[1]: is empty'],
    [{ seconds: [] }, 'seconds: must be a number or text, and is a list'],
    [{ seconds: true }, 'seconds: must be a number or text, and is true'],
    [{ stream: 'out' }, 'stream: must be stdout or stderr'],
    [{ fields: 'x' }, 'fields: must be an object, and is text'],
    [{ bin_nam: 'x' }, 'bin_nam: is no parameter here. did you mean bin_name?'],
    [{ zzz: 'x' }, 'zzz: is no parameter here'],
    [{ finish: 't1' }, 'finish: must be a list, and is text'],
    [{ failed: [{ id: 'x' }] }, 'failed[0].task_id: is no task_id: write it as a string'],
    [
      { failed: [{ task_id: 'x', attempt: 'one' }] },
      'failed[0].attempt: must be a number, and is text',
    ],
    [{ returned: [null] }, 'returned[0]: is no task_id: write it as a string'],
    [{ count: 0, half: '1' }, 'count: must be at least 1; half: must be a number, and is text'],
  ])('%j', (value, said) => {
    expect(saidOf(value)).toBe(said)
  })

  test('one that is missing says what it must be', () => {
    const of = z.object({ url: z.string(), rows: z.array(z.unknown()), task: z.looseObject({}) })
    expect(saidOf({}, of)).toBe(
      'url: is missing. it must be text; rows: is missing. it must be a list; ' +
        'task: is missing. it must be an object',
    )
  })

  test('ten thousand mistakes are told in a few words, and soon', () => {
    const wrong = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`zz${n}`, 1]))
    const begun = performance.now()
    expect(saidOf(wrong)).toMatch(/^zz0: is no parameter here; .*; and 9980 more are none$/)
    expect(saidOf({ finish: Array.from({ length: 5000 }, () => ({})) })).toMatch(
      /^finish\[0\]\.task_id: .* and 4980 more$/,
    )
    expect(saidOf({ ['x'.repeat(1e6)]: 1 }).length).toBeLessThan(200)
    expect(performance.now() - begun).toBeLessThan(2000)
  })
})
