import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { createOutput } from '../../../src/cli/output.ts'
import { runCli } from '../../../src/cli/program.ts'

const root = mkdtempSync(join(tmpdir(), 'taskd-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const FILE = join(root, 'conf/cron.ini')
mkdirSync(join(root, 'conf'))

/** The command line in this process: what it writes, on both streams. */
async function cli(args: readonly string[], env: Readonly<Record<string, string>>) {
  const result = { stdout: '', stderr: '' }
  const into = (name: 'stdout' | 'stderr') => ({
    write: (text: string | Uint8Array) => {
      result[name] += String(text)
      return true
    },
  })
  const out = createOutput(into('stdout'), into('stderr'), env)
  const world = { env: { ...env, TASKD_CONFIG: FILE }, cwd: root, out }
  await runCli(args, world)
  return result
}

/** Letters that are in no word of ours, so that a part of it is no accident; and signs in between. */
const secret = fc
  .array(fc.tuple(fc.stringMatching(/^[QXZ]{5}$/), fc.constantFrom('', '!', '$', '~', '-', '.')), {
    minLength: 2,
    maxLength: 5,
  })
  .map(parts => parts.flat().join(''))

/** Where a password may stand, rightly or by a slip of the pen. */
const PLACES: readonly ((secret: string) => string)[] = [
  s => `[taskd]\nsecret = ${s}`,
  s => `[taskd]\nsecret = @${s}`,
  s => `[taskd]\nsecret_pull = ${s}\n  ${s}`,
  s => `[taskd]\nsecret_pull = ${s}\n  ${s}=`,
  s => `[taskd]\nsecert_read = ${s}`,
  s => `[taskd]\nSECRET = ${s}`,
  s => `[taskd]\nsecret: ${s}`,
  s => `[taskd]\nredis = redis://u:${s}@h`,
  s => `[taskd]\nredis = redis://:${s}@h/1`,
  s => `[taskd]\nredis = redis://u:${s}/${s}@h`,
  s => `[taskd]\nredis = redis://u:${s} ${s}@h`,
  s => `[taskd]\nredis = redis:u:${s}@h`,
  s => `[taskd]\nredis = u:${s}@h:6379`,
  s => `[taskd]\nredis = redis://u:${s}h`,
  s => `[taskd]\nredis = sentinel://u:${s}@h1,h2/m?sentinel_password=${s}`,
  s => `[taskd]\nredsi = redis://u:${s}@h`,
  s => `[taskd]\ndatabase = mysql://u:${s}@h/d`,
  s => `[taskd]\ndatabase = mysql://u:${s}@${s}@h/d`,
  s => `[taskd]\ndatabase = mysql://u:${s}@h`,
  s => `[taskd]\ndatabase = mysql//u:${s}@h/d`,
  s => `[taskd]\ndatabsae = u:${s}@h/d`,
  s => `[taskd]\ndb = mysql://u:${s}@h/d`,
  s => `[channel:c]\ntable = t\ncolumns = a\ndatabase = postgres://u:${s}@h/d?password=${s}`,
  s => `[channel:c]\ntable = t\ncolumns = a\nencrypt = a\nencrypt_key = v1:${s}`,
  s => `[channel:c]\ntable = t\ncolumns = a\nencrypt = a\nencrypt_url = http://h/?key=${s}`,
  s => `[channel:c]\ntable = t\ncolumns = a\nencrypt = a\nencrypt_url = http//u:${s}@h`,
  s => `[relay:r]\nlist = l\nredis = redis://u:${s}@h`,
  s => `[relay:r]\nredis = unknown://u:${s}@h`,
  s => `[notify:n]\nurl = https://h.example/services/${s}?x=${s}`,
  s => `[notify:n]\nmail = smtp://u:${s}@h\nto = a@b\nfrom = a@b`,
  s => `[notify:n]\nmail = smpt://u:${s}@h`,
  s => `[source:s]\ntable = t\ntask_key = q\ndatabase = mysql://u:${s}@h`,
  s => `[a]\nenvironment = DB_PASSWORD="${s} \\" ${s}",B`,
  s => `[a]\nenvironment = API_TOKEN=${s} ${s},B="`,
  s => `[a]\npriority = password=${s}`,
  s => `[program:p]\ncommand = run --password ${s} --db mysql://u:${s}@h/d`,
  s => `[program:p]\ncommand = run\nenvironment = A="1",\n  API_KEY="${s}"`,
]

test.each([['check'], ['check', '--json'], ['config'], ['config', '--json'], ['plan']])(
  'taskd %s %s tells no part of a secret',
  async (...args) => {
    const asked = args.filter(one => one !== undefined)
    await fc.assert(
      fc.asyncProperty(
        secret,
        fc.subarray([...PLACES], { minLength: 1, maxLength: 4 }),
        fc.constantFrom('', 'TASKD_SECRET', 'TASKD_REDIS', 'TASKD_DATABASE', 'TASKD_SECERT'),
        async (word, places, variable) => {
          writeFileSync(FILE, places.map(place => place(word)).join('\n'))
          const env = variable === '' ? {} : { [variable]: `redis://u:${word}@h` }
          const { stdout, stderr } = await cli(asked, env)
          expect(stdout + stderr).not.toBe('')
          expect(stdout + stderr).not.toMatch(/[QXZ]{5}/)
        },
      ),
      { numRuns: 300 },
    )
  },
)

test('each place is one that something is said about', async () => {
  const silent: string[] = []
  for (const place of PLACES) {
    writeFileSync(FILE, place('QXZQXZ'))
    const { stdout, stderr } = await cli(['config'], {})
    if (!/\*\*\*|names no absolute path|below a secret/.test(stdout + stderr))
      silent.push(place('…'))
  }
  expect(silent).toEqual([])
})

test('a secret in a file is told by none, whatever is wrong with it', async () => {
  const at = join(root, 'value')
  await fc.assert(
    fc.asyncProperty(
      secret,
      fc.constantFrom('redis', 'database', 'secret'),
      fc.constantFrom('', 'redis://u:', 'mysql://', 'cluster://h?x=', 'x.'),
      fc.constantFrom('check', 'config'),
      async (word, key, before, verb) => {
        writeFileSync(at, `${before}${word}\n`)
        writeFileSync(FILE, `[taskd]\n${key} = @${at}`)
        const { stdout, stderr } = await cli([verb], {})
        expect(stdout + stderr).not.toMatch(/[QXZ]{5}/)
      },
    ),
    { numRuns: 300 },
  )
})
