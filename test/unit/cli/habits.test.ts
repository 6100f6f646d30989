import { expect, test } from 'vitest'
import { HABITS } from '../../../src/cli/habits.ts'
import { runCli } from '../../../src/cli/program.ts'
import { GROUPS } from '../../../src/cli/verbs.ts'

async function cli(...argv: string[]) {
  const said: string[] = []
  const out = {
    width: 80,
    colour: false,
    line: (text: string) => void said.push(text),
    note: (text: string) => void said.push(text),
    json: (value: unknown) => void said.push(JSON.stringify(value)),
  }
  const code = await runCli(argv, { env: {}, cwd: '/', out: out as never })
  return { code, said }
}

test.each(Object.entries(HABITS))('%s names what does it', async (word, does) => {
  const line = `taskd: there is no ${word}. ${does}`
  expect(await cli(word)).toEqual({ code: 2, said: [line] })
  expect(await cli('-c', '/x/cron.ini', word, 'web', '-f')).toEqual({ code: 2, said: [line] })
})

test('they name commands that there are, and are none themselves', () => {
  const verbs = GROUPS.flatMap(group => Object.keys(group.verbs))
  const named = Object.values(HABITS).flatMap(does =>
    [...does.matchAll(/taskd ([a-z]+)/g)].map(match => match[1]),
  )
  expect(named.filter(one => !verbs.includes(one ?? ''))).toEqual([])
  expect(Object.keys(HABITS).filter(word => verbs.includes(word))).toEqual([])
})

test('the help does not list them', async () => {
  const { code, said } = await cli('--help')
  expect(code).toBe(0)
  expect(said.join('\n')).not.toMatch(/^ +(?:update|maintail|avail)\b/m)
})

test('version is a word too', async () => {
  const { code, said } = await cli('version')
  expect([code, said.join()]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+/)])
})
