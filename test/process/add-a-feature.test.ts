import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../support/agent.ts'
import { startDaemon } from '../support/daemon.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait.ts'
import { startWeb } from '../support/web.ts'

/** CONTRIBUTING, "Add a feature": what it says is what this does. */
test('a feature is one folder and one line, and shows up everywhere', async () => {
  await using copy = tempDir('taskd-copy-')
  for (const name of ['bin', 'dist', 'scripts', 'src', 'package.json'])
    cpSync(name, join(copy.path, name), { recursive: true, preserveTimestamps: true })
  symlinkSync(resolve('node_modules'), join(copy.path, 'node_modules'))
  cpSync('templates/features/ping', join(copy.path, 'src/features/ping'), { recursive: true })
  appendFileSync(join(copy.path, 'src/features/all.ts'), "export { ping } from './ping/index.ts'\n")
  execFileSync(join(copy.path, 'scripts/build'), { stdio: 'pipe', timeout: 60_000 })

  let answer = 200
  await using shop = await startWeb((_request, response) => response.writeHead(answer).end())
  const port = await freePort()
  const section = (name: string) => `[ping:${name}]\nurl = ${shop.origin}\nevery = 100ms\n`
  await using daemon = await startDaemon({
    program: join(copy.path, 'bin/taskd'),
    taskd: { http: `127.0.0.1:${port}` },
    ini: section('shop'),
  })
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  const line = async () => (await daemon.cli('status', 'shop')).stdout

  expect(await line()).toMatch(/^shop +OPEN +ping of http:/m)
  answer = 500
  await waitFor(async () => /AWAY[^]*the\s+status\s+is\s+500/.test(await line()), {
    what: 'it is seen',
  })
  expect(await daemon.status()).toMatchObject({ pings: [{ name: 'shop', ok: false }] })
  expect((await daemon.cli('why', 'shop')).stdout).toContain(`asks ${shop.origin}`)
  expect(await (await ask('/metrics')).text()).toContain('taskd_ping_up{ping="shop"} 0')
  expect(await (await ask('/api/ping/shop')).json()).toMatchObject({ ok: false })
  expect(await (await ask('/openapi.json')).json()).toHaveProperty('paths./api/ping/{name}.get')
  expect((await daemon.cli('config', 'ping:shop')).stdout).toMatch(/every = 100ms/)

  daemon.configure({
    taskd: { http: `127.0.0.1:${port}` },
    ini: `${section('shop')}${section('two').replace('every', 'evry')}`,
  })
  const checked = await daemon.cli('check')
  expect(checked.code).toBe(2)
  expect(checked.stdout + checked.stderr).toContain('did you mean "every"?')
  daemon.configure({
    taskd: { http: `127.0.0.1:${port}` },
    ini: `${section('shop')}${section('two')}`,
  })
  expect((await daemon.cli('reload')).stdout).toContain('ping two: added')
  expect((await daemon.cli('status', 'two')).stdout).toContain('ping of')
})
