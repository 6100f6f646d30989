import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'

/** Everything that is loaded with a module: its imports, but neither types nor what comes later. */
function loadedWith(entry: string): {
  readonly files: Set<string>
  readonly packages: Set<string>
} {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (file: string) => {
    if (files.has(file)) return
    files.add(file)
    const text = readFileSync(file, 'utf8')
    for (const [, what = '', from = ''] of text.matchAll(
      /^(?:import|export) ([^;'"]*?) from '([^']+)'/gms,
    )) {
      const onlyTypes = what.startsWith('type ') || /^\{(?:\s*type [^,}]+,?)+\s*\}$/.test(what)
      if (onlyTypes) continue
      if (!from.startsWith('.')) packages.add(from)
      else if (existsSync(join(dirname(file), from))) visit(resolve(dirname(file), from))
    }
  }
  visit(resolve(entry))
  return { files, packages }
}

const LIBRARIES = ['@hono/zod-openapi', 'prom-client']

test('a daemon without http loads nothing of the door', () => {
  const { files, packages } = loadedWith('src/master/main.ts')
  // That the walk sees what is there.
  expect([...packages]).toEqual(expect.arrayContaining(['hono', 'ioredis', 'bullmq']))
  expect([...files]).toContain(resolve('src/master/lazy-door.ts'))
  expect([...packages].filter(one => LIBRARIES.includes(one))).toEqual([])
  const later = [
    'master/door.ts',
    'monitor/metrics.ts',
    'api/door.ts',
    'api/door-app.ts',
    'api/gate.ts',
  ]
  expect(later.filter(one => files.has(resolve('src', one)))).toEqual([])
})

test('the door itself does load them', () => {
  const { packages } = loadedWith('src/master/door.ts')
  expect([...packages]).toEqual(expect.arrayContaining(LIBRARIES))
})
