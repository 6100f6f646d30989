import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { TASKD } from '../../../src/config/core-kinds.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { KINDS } from '../../../src/features/index.ts'
import { checkTrigger } from '../../../src/schedule/check.ts'
import {
  environmentOf,
  isInContext,
  readCopy,
  readDockerfile,
  valueOf,
} from '../../support/dockerfile.ts'
import { readYaml } from '../../support/yaml.ts'
import { folderOf } from '../config/load-files.ts'

const stages = readDockerfile(readFileSync('Dockerfile', 'utf8'))
const ignore = readFileSync('.dockerignore', 'utf8')
const final = stages.at(-1) ?? stages[0]
if (final === undefined) throw new Error('no stage')

/** What a clone has; the context of a build is made of nothing else. */
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter(file => file !== '' && existsSync(file))

/** The secrets as scripts/compose-secrets makes them, in a folder of the test. */
function madeSecrets(): string {
  const folder = folderOf({ 'scripts/x': '' })
  cpSync('scripts/compose-secrets', join(folder, 'scripts/compose-secrets'))
  mkdirSync(join(folder, 'container/secrets'), { recursive: true })
  chmodSync(join(folder, 'container/secrets'), 0o755)
  execFileSync(join(folder, 'scripts/compose-secrets'))
  return folder
}

describe('Dockerfile', () => {
  const copies = stages.flatMap(stage =>
    stage.steps.filter(step => step.name === 'COPY').map(step => readCopy(step.text)),
  )

  test('every file that it copies is in a clone, and not kept out by .dockerignore', () => {
    const sources = copies.filter(one => one.from === '').flatMap(one => one.sources)
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) {
      const files = tracked.filter(file => file === source || file.startsWith(`${source}/`))
      expect([source, files.length > 0]).toEqual([source, true])
      expect(files.filter(file => !isInContext(ignore, file))).toEqual([])
    }
  })

  test('the context holds nothing else: no secrets, no data, no installed packages', () => {
    const sources = copies.filter(one => one.from === '').flatMap(one => one.sources)
    const sent = tracked.filter(file => isInContext(ignore, file))
    const used = (file: string) => sources.some(one => file === one || file.startsWith(`${one}/`))
    expect(sent.filter(file => !used(file))).toEqual([])
    for (const file of ['.git/HEAD', 'node_modules/zod/x.js', 'data/x', 'dist/cli/main.js'])
      expect([file, isInContext(ignore, file)]).toEqual([file, false])
    expect(isInContext(ignore, 'container/secrets/redis_url')).toBe(false)
  })

  test('stands on one pinned Node that is new enough', () => {
    const bases = new Set(stages.map(stage => stage.base))
    expect([...bases]).toEqual([expect.stringMatching(/^node:\d+\.\d+\.\d+-bookworm-slim$/)])
    const [major = 0, minor = 0] = (/\d+\.\d+/.exec(final.base)?.[0] ?? '').split('.').map(Number)
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      engines: { node: string }
    }
    const [least = 0, part = 0] = (/\d+\.\d+/.exec(engines.node)?.[0] ?? '').split('.').map(Number)
    expect(major * 1000 + minor).toBeGreaterThanOrEqual(least * 1000 + part)
  })

  test('installs from the lock, and the programs that taskd starts', () => {
    const runs = stages.map(stage =>
      stage.steps.filter(one => one.name === 'RUN').map(one => one.text),
    )
    expect(runs[0]?.some(one => one.startsWith('npm ci '))).toBe(true)
    const packages = /install -y --no-install-recommends (.*?) &&/.exec(runs[1]?.join('\n') ?? '')
    expect(packages?.[1]?.split(' ')).toEqual(
      expect.arrayContaining(['redis-server', 'perl-base', 'php-cli', 'tzdata']),
    )
    expect(runs.flat().join('\n')).not.toMatch(/tini|dumb-init/)
  })

  test('runs the program itself as a user with a fixed number, who owns the volume', () => {
    expect(JSON.parse(valueOf(final, 'ENTRYPOINT'))).toEqual(['/opt/taskd/bin/taskd'])
    expect(JSON.parse(valueOf(final, 'CMD'))).toEqual(['start', '-n'])
    expect(statSync('bin/taskd').mode & 0o111).toBe(0o111)
    expect(valueOf(final, 'STOPSIGNAL')).toBe('SIGTERM')
    const [uid, gid] = valueOf(final, 'USER').split(':')
    expect(Number(uid)).toBeGreaterThan(999)
    const made = final.steps
      .filter(one => one.name === 'RUN')
      .map(one => one.text)
      .join('\n')
    expect(made).toContain(`useradd --uid ${uid} --gid ${gid} `)
    expect(made).toContain(`install -d -o ${uid} -g ${gid} -m 750 ${valueOf(final, 'VOLUME')}`)
  })

  test('its variables are ones that taskd reads, and its paths are the ones it copies to', () => {
    const { TASKD_CONFIG: config = '', PATH: path = '', ...rest } = environmentOf(final)
    expect(rest).toEqual({})
    expect(copies.some(one => one.target === config)).toBe(true)
    expect(path.split(':')[0]).toBe('/opt/taskd/bin')
  })
})

describe('compose.yaml', () => {
  interface Service {
    readonly image: string
    readonly build?: string
    readonly environment?: Readonly<Record<string, string>>
    readonly command?: readonly string[]
    readonly secrets?: readonly string[]
    readonly volumes?: readonly string[]
    readonly ports?: readonly string[]
    readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
    readonly healthcheck?: { readonly test: readonly string[] }
    readonly stop_grace_period: string
  }
  interface Compose {
    readonly services: Readonly<Record<string, Service>>
    readonly volumes: Readonly<Record<string, unknown>>
    readonly secrets: Readonly<Record<string, { readonly file: string }>>
  }
  const compose = readYaml(readFileSync('compose.yaml', 'utf8')) as unknown as Compose
  const services = Object.entries(compose.services)
  const { taskd, redis, mariadb } = compose.services
  if (!taskd || !redis || !mariadb) throw new Error('a service is missing')

  /** The configuration that the container would load. */
  function loaded() {
    const folder = madeSecrets()
    const env = Object.entries(taskd?.environment ?? {}).map(([name, value]) => [
      name,
      value.replace('/run/secrets', `${folder}/container/secrets`),
    ])
    const read = loadConfig('container/taskd/cron.ini', Object.fromEntries(env), {
      kinds: KINDS,
      checkSchedule: checkTrigger,
    })
    if (!read.ok) throw new Error(JSON.stringify(read.problems))
    return { ...read.config, notes: read.notes }
  }

  test('whoever is waited for is there, and can say that it is well', () => {
    const waits = services.flatMap(([, one]) => Object.entries(one.depends_on ?? {}))
    expect(waits.map(([name]) => name).toSorted()).toEqual(['mariadb', 'redis'])
    for (const [name, { condition }] of waits) {
      expect(condition).toBe('service_healthy')
      expect(compose.services[name]?.healthcheck?.test.length).toBeGreaterThan(1)
    }
  })

  test('every secret is declared, made by scripts/compose-secrets, and used where it is given', () => {
    const folder = madeSecrets()
    for (const { file } of Object.values(compose.secrets)) {
      const path = join(folder, file)
      expect([file, readFileSync(path, 'utf8').trim().length >= 32]).toEqual([file, true])
      expect(statSync(path).mode & 0o777).toBe(0o644)
    }
    expect(statSync(join(folder, 'container/secrets')).mode & 0o777).toBe(0o700)
    for (const [name, service] of services) {
      const { secrets = [], ...rest } = service
      const named = [...JSON.stringify(rest).matchAll(/\/run\/secrets\/(\w+)/g)].map(
        ([, one = '']) => one,
      )
      expect([name, [...new Set(named)].toSorted()]).toEqual([name, [...secrets].toSorted()])
    }
    const given = new Set(services.flatMap(([, one]) => one.secrets ?? []))
    expect([...given].toSorted()).toEqual(Object.keys(compose.secrets).toSorted())
  })

  test('secrets that are there already are kept', () => {
    const folder = madeSecrets()
    const all = () =>
      Object.values(compose.secrets).map(one => readFileSync(join(folder, one.file), 'utf8'))
    const before = all()
    execFileSync(join(folder, 'scripts/compose-secrets'))
    expect(all()).toEqual(before)
    expect(new Set(before).size).toBe(before.length)
  })

  test('git and the build know nothing of the secrets', () => {
    for (const { file } of Object.values(compose.secrets)) {
      const path = file.replace(/^\.\//, '')
      expect(execFileSync('git', ['check-ignore', path], { encoding: 'utf8' }).trim()).toBe(path)
      expect(isInContext(ignore, path)).toBe(false)
    }
  })

  test('volumes are declared or lie in the clone, and the data are on the one of the image', () => {
    const mounts = services.flatMap(([, one]) => one.volumes ?? []).map(one => one.split(':'))
    const names = mounts.map(([source = '']) => source).filter(one => !one.startsWith('.'))
    expect(names.toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
    for (const [source = '', , mode] of mounts.filter(([one]) => one?.startsWith('.'))) {
      expect(statSync(source).isDirectory()).toBe(true)
      expect(mode).toBe('ro')
    }
    const targets = (taskd.volumes ?? []).map(one => one.split(':')[1])
    expect(targets).toEqual([
      valueOf(final, 'VOLUME'),
      environmentOf(final)['TASKD_CONFIG']?.replace('/cron.ini', ''),
    ])
  })

  test('its TASKD_ variables are settings, and load together with the sample', () => {
    const { settings, jobs, notes } = loaded()
    const keys = Object.keys(taskd.environment ?? {}).filter(one => one.startsWith('TASKD_'))
    const known = Object.keys(TASKD.schema.shape).map(one => `TASKD_${one.toUpperCase()}`)
    expect(keys.filter(one => !known.includes(one))).toEqual([])
    expect(notes.filter(one => one.file === 'environment')).toEqual([])
    expect(settings.node).toBe('taskd-1')
    for (const { task } of jobs)
      expect(existsSync(task.script.replace('/opt/taskd/', ''))).toBe(true)
    expect(jobs).toHaveLength(1)
  })

  test('the addresses lead to the services, with the passwords that those have', () => {
    const { settings } = loaded()
    const [queue, database] = [new URL(settings.redis), new URL(settings.database)]
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining([queue.hostname, database.hostname]),
    )
    expect([queue.port, database.port]).toEqual(['6379', '3306'])
    expect(database.pathname).toBe(`/${mariadb.environment?.['MARIADB_DATABASE']}`)
    expect(database.username).toBe(mariadb.environment?.['MARIADB_USER'])
    expect(queue.password).toMatch(/^[0-9a-f]{32}$/)
    expect(database.password).toMatch(/^[0-9a-f]{32}$/)
    expect(queue.password).not.toBe(database.password)
    expect(settings.secret).toMatch(/^[0-9a-f]{32}$/)
  })

  test('the port that is published is the one that is listened on', () => {
    const { http } = loaded().settings
    const [, , inner] = /^(\S+):(\d+)$/.exec(taskd.ports?.[0] ?? '') ?? []
    expect(taskd.ports).toHaveLength(1)
    expect(taskd.ports?.[0]).toMatch(/^127\.0\.0\.1:/)
    expect(Number(inner)).toBe(http?.port)
    expect(Number(valueOf(final, 'EXPOSE'))).toBe(http?.port)
    expect(http?.host).toBe('0.0.0.0')
  })

  test('a stop has the time to drain, and nothing is evicted from Redis', () => {
    const { settings } = loaded()
    expect(Number.parseInt(taskd.stop_grace_period, 10) * 1000).toBeGreaterThan(
      settings.stopWaitMs + settings.killWaitMs,
    )
    expect(taskd.stop_grace_period).toMatch(/^\d+s$/)
    expect(redis.command?.join(' ')).toContain('--maxmemory-policy noeviction')
    expect(redis.command?.join(' ')).toContain('--appendonly yes')
  })

  test('images are pinned, and the one of taskd is built here', () => {
    for (const one of [redis, mariadb]) expect(one.image).toMatch(/^\w+:\d+\.\d+\.\d+(?:-\w+)?$/)
    expect(existsSync(join(taskd.build ?? '', 'Dockerfile'))).toBe(true)
  })
})

describe('the readers of these tests', () => {
  test.each([
    'a: [1, 2]',
    'a: {b: c}',
    'a: &x b',
    'a: b # c',
    'a: yes',
    'a: |\n  b',
    'a: b\na: c',
    'a: b\n  c: d',
    'a:\n    b: c\n  d: e',
    "a: 'b'",
    'a: 12:30',
  ])('refuse YAML that they could read wrongly: %j', text => {
    expect(() => readYaml(text)).toThrow(/^line \d/)
  })

  test('read what is plain', () => {
    const text = '# r\na:\n  b: "c # d"\n  e:\n    - -x y\n    - "1:2"\nf:\ng: 20'
    expect(readYaml(text)).toEqual({ a: { b: 'c # d', e: ['-x y', '1:2'] }, f: '', g: '20' })
  })

  test('refuse an instruction, a flag and a pattern that they do not know', () => {
    expect(() => readDockerfile('FROM x\nADD a b')).toThrow('ADD a b')
    expect(() => readCopy('--chown=1 a b')).toThrow('unknown flag')
    expect(() => isInContext('**/x', 'x')).toThrow('unknown pattern')
  })
})
