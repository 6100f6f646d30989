import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { elementsOf, memberOf } from '../../../src/model/json-slices.ts'
import { MAX_PULL_TASK_BYTES, readPullTasks } from '../../../src/model/pull-task.ts'

const read = async (body: string) => {
  const tasks = await readPullTasks(body, async () => undefined)
  return tasks.ok ? tasks.value : tasks.reason
}

describe('the tasks of a request', () => {
  test('one, a list, or a list under `tasks`, each kept as it was written', async () => {
    const one = '{"task_id" : "a",\n "n": 1.0}'
    const other = '{"x":["]",{"tasks":"\\"}"}],"task_id":"b"}'
    expect(await read(` ${one}\n`)).toEqual([{ id: 'a', content: one }])
    const both = [
      { id: 'a', content: one },
      { id: 'b', content: other },
    ]
    expect(await read(`[ ${one} ,\n${other}]`)).toEqual(both)
    expect(await read(`{"tasks":[1],"more":{"tasks":[2]}, "tasks": [${one},${other} ]}`)).toEqual(
      both,
    )
  })

  test('an object with a task_id is one task, whatever else it has', async () => {
    const content = '{"task_id":"a","tasks":[{"task_id":"b"}]}'
    expect(await read(content)).toEqual([{ id: 'a', content }])
  })

  test('an id that is a number keeps every digit', async () => {
    expect(
      await read('[{"task_id":7},{"task_id":12345678901234567890},{"task_id":-3}]'),
    ).toMatchObject([{ id: '7' }, { id: '12345678901234567890' }, { id: '-3' }])
    expect(
      await read('{"a":{"task_id":9},"task_id":1,"\\u0074ask_id":98765432109876543210}'),
    ).toMatchObject([{ id: '98765432109876543210' }])
  })

  test.each([
    ['', /^not JSON: /],
    ['[{"task_id":"a"}', /^not JSON: /],
    ['7', /^neither a task nor a list of tasks$/],
    ['null', /^neither/],
    ['[]', /^no tasks$/],
    ['{"tasks":[]}', /^no tasks$/],
    ['{"url":"x"}', /^the task has no "task_id"$/],
    ['[{"task_id":"a"},{"task_id":""}]', /^task 2 of 2 has no "task_id"$/],
    ['[{"task_id":"a"},"b"]', /^task 2 of 2 is not a JSON object$/],
    ['[[]]', /^task 1 of 1 is not a JSON object$/],
    ['{"task_id":1.5}', /no string and no whole number$/],
    ['{"task_id":1e300}', /no string and no whole number$/],
    ['{"task_id":{}}', /no string and no whole number$/],
    ['{"task_id":"a\\nb"}', /control characters/],
    ['{"task_id":"\\ud800"}', /broken/],
    [`{"task_id":"${'x'.repeat(256)}"}`, /more than 255 characters$/],
    [`{"task_id":${'9'.repeat(256)}}`, /no whole number$/],
  ])('%s is refused', async (body, why) => {
    expect(await read(body)).toMatch(why)
  })

  test('5000 are taken, one more is not; a mebibyte is taken, a byte more is not', async () => {
    const tasks = Array.from({ length: 5001 }, (_, n) => ({ task_id: `${n}` }))
    expect(await read(JSON.stringify(tasks))).toBe('5001 tasks; at most 5000 are taken in one call')
    expect(await read(JSON.stringify(tasks.slice(1)))).toHaveLength(5000)
    const frame = '{"task_id":"a","x":""}'
    // Two bytes each, so that characters are not what is counted.
    const content = frame.replace('""', `"${'ä'.repeat((MAX_PULL_TASK_BYTES - frame.length) / 2)}"`)
    expect(await read(content)).toHaveLength(1)
    expect(await read(`[${content}  ]`)).toHaveLength(1)
    expect(await read(content.replace('{', '{ '))).toBe(
      `the task (a) has ${MAX_PULL_TASK_BYTES + 1} bytes; at most ${MAX_PULL_TASK_BYTES} are taken`,
    )
  })
})

describe('slices of JSON', () => {
  const spaces = fc.constantFrom('', ' ', '\n\t')

  test('the elements of any list are what JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), spaces, (list, space) => {
        const texts = list.map(value => JSON.stringify(value, null, space.length))
        const text = `${space}[${space}${texts.join(`${space},${space}`)}${space}]${space}`
        expect(elementsOf(text)).toEqual(texts)
      }),
    )
  })

  test('each member of any object is what JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), spaces, (object, space) => {
        const text = JSON.stringify(object, null, space.length)
        for (const [name, value] of Object.entries(JSON.parse(text) as object))
          expect(JSON.parse(memberOf(text, name) ?? '')).toEqual(value)
        expect(memberOf(text, 'none of these names')).toBeUndefined()
      }),
    )
  })
})
