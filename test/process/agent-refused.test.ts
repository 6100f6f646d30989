import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort, newAgent } from '../support/agent.ts'
import { pair } from '../support/agent-pair.ts'
import { selfSigned } from '../support/certificate.ts'
import { startDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'
import { startWeb } from '../support/web.ts'

test.each([
  ['a wrong secret', ['--secret-file', 'secret'], 'far', /the secret is wrong. --secret-file/],
  ['no secret', [], 'far', /a secret is needed. --secret-file names a file with it$/],
  ['a secret for something else', ['--secret-file', 'read'], 'far', /scope pull/],
  ['no such queue', ['--secret-file', 'right'], 'fra', /no pull queue named fra. did you mean far/],
  ['a queue of another kind', ['--secret-file', 'right'], 'sync_tasks', /is no pull queue/],
])('%s: one clear line, and exit code 2', async (_what, options, queue, says) => {
  const secrets = { secret_pull: 'p'.repeat(20), secret_read: 'r'.repeat(20) }
  await using both = await pair([], 'true', {}, secrets)
  const { agent } = both
  writeFileSync(join(agent.dir, 'secret'), 'wrong-wrong-wrong')
  writeFileSync(join(agent.dir, 'read'), `${'r'.repeat(20)}\n`)
  writeFileSync(join(agent.dir, 'right'), `${'p'.repeat(20)}\n`)
  expect(await agent.start({ options, queue })).toEqual({ code: 2, signal: null })
  const lines = agent
    .log()
    .split('\n')
    .filter(line => says.test(line))
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('fatal')
  expect(agent.log()).not.toMatch(/wrong-wrong|pppp|rrrr/)
})

test('over HTTPS with the certificate of its CA, and never without', async () => {
  const { cert, key } = selfSigned()
  const files = newAgent({ master: 'http://127.0.0.1:1' })
  await using _files = files
  for (const [name, text] of Object.entries({ crt: cert, key, other: selfSigned().cert }))
    writeFileSync(join(files.dir, name), text)
  const at = (name: string) => join(files.dir, name)
  const taskd = { http_cert: at('crt'), http_key: at('key') }
  await using both = await pair([], 'true', {}, taskd)
  const { agent, push, ran, port, daemon } = both
  const master = `https://localhost:${port}`
  expect(await agent.start({ master })).toEqual({ code: 2, signal: null })
  expect(agent.log()).toMatch(/certificate is not trusted.*--ca/)
  expect((await agent.start({ master, options: ['--ca', at('other')] })).code).toBe(2)
  await using plainWeb = await startWeb((_request, response) => response.end('{}'))
  const plain = { master: `https://127.0.0.1:${plainWeb.port}` }
  expect((await agent.start({ ...plain, options: ['--ca', at('crt')] })).code).toBe(2)
  expect(agent.log()).toMatch(/it speaks no TLS there. write http:\/\/ in --master$/m)
  void agent.start({ master, options: ['--ca', at('crt')] })
  await push('a')
  await waitFor(() => ran().length === 1, { what: 'it runs', timeoutMs: 20_000 })
  await waitFor(
    async () => (await daemon.status()).queues.find(one => one.task_key === 'far')?.active === 0,
    { what: 'it is reported' },
  )
  expect(await agent.stop()).toEqual({ code: 0, signal: null })
})

test('one agent for a folder; a folder that cannot be used is said', async () => {
  await using both = await pair()
  await using second = newAgent({ master: both.agent.dir, data: both.agent.data })
  void both.agent.start()
  await both.agent.says('connected')
  const master = `http://127.0.0.1:${both.port}`
  expect((await second.start({ master })).code).toBe(1)
  expect(second.log()).toMatch(/an agent already runs on .*: pid \d+. end that one/)
  await both.agent.stop()
  await using third = newAgent({ master, data: '/dev/null/no' })
  expect((await third.start()).code).toBe(1)
  expect(third.log()).toMatch(/cannot use \/dev\/null\/no: .*--data/)
})

test('what answers is not taskd', async () => {
  await using web = await startWeb((_request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<html>')
  })
  await using agent = newAgent({ master: web.origin })
  expect((await agent.start()).code).toBe(2)
  expect(agent.log()).toContain('what answers there is not taskd')
  const bad = await agent.start({ master: 'host:9595' })
  expect(bad.code).toBe(2)
  expect(agent.log()).toContain('write it as https://host:9595')
})

test('a master that is not there yet is waited for', async () => {
  const port = await freePort()
  await using agent = newAgent({ master: `http://127.0.0.1:${port}` })
  void agent.start()
  await agent.says('the master is away')
  const ini = '[queue:far]\nmode = pull\n'
  await using _daemon = await startDaemon({ taskd: { http: `127.0.0.1:${port}` }, ini })
  await agent.says('connected')
  expect(await agent.stop()).toEqual({ code: 0, signal: null })
})
