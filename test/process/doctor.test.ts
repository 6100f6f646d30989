import { describe, expect, it } from 'vitest'
import { jsonOf, newDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { startRedis } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

interface Finding {
  readonly name: string
  readonly level: 'ok' | 'warn' | 'fail'
  readonly message: string
  readonly remedy: string
}

async function findings(daemon: TestDaemon): Promise<{ code: number; all: Finding[] }> {
  const { code, stdout } = await daemon.cli('doctor', '--json')
  return { code, all: jsonOf({ code, stdout, stderr: '' }) as Finding[] }
}

const failed = (all: readonly Finding[]) => all.filter(one => one.level === 'fail')

describe.concurrent('taskd doctor', () => {
  it('finds nothing wrong with a daemon that runs', async () => {
    await using daemon = await startDaemon()
    const { code, all } = await findings(daemon)
    expect(failed(all)).toEqual([])
    expect(code).toBe(0)
    const text = await daemon.cli('doctor')
    expect(text.code).toBe(0)
    for (const { message } of all) expect(message).not.toBe('')
  })

  it('looks also where no daemon runs yet', async () => {
    await using daemon = newDaemon()
    const { code, all } = await findings(daemon)
    expect([code, failed(all)]).toEqual([0, []])
  })

  it('names each thing that stands in the way, with a remedy', async () => {
    await using daemon = newDaemon({
      taskd: { redis_server: '/no/such/redis-server', php: '/no/such/php' },
      ini: '[job]\ntask_key = sync_tasks\nrun_time = * * * * *\nscript = /no/such/script.php\n',
    })
    const { code, all } = await findings(daemon)
    expect(code).toBe(1)
    const text = JSON.stringify(all.filter(one => one.level !== 'ok'))
    for (const word of ['/no/such/redis-server', '/no/such/script.php'])
      expect(text).toContain(word)
    for (const one of failed(all)) expect([one.name, one.remedy]).not.toEqual([one.name, ''])
  })

  it('tells a Redis that may throw tasks away, and one that is away', async () => {
    await using server = await startRedis({
      args: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'],
    })
    await using daemon = await startDaemon({ taskd: { redis: server.url } })
    const evicts = await findings(daemon)
    expect(JSON.stringify(evicts.all.filter(one => one.level !== 'ok'))).toContain('noeviction')
    await server.stop()
    await waitFor(async () => !(await daemon.status()).redis.ok, { what: 'status notices' })
    const away = await findings(daemon)
    expect(away.code).toBe(1)
    expect(failed(away.all).some(one => /redis/i.test(one.name + one.message))).toBe(true)
  })

  it('shows the mistakes of a configuration, and exits 1', async () => {
    await using daemon = newDaemon({ ini: '[queue:x]\nwrkers = 2\n' })
    const { code, all } = await findings(daemon)
    expect(code).toBe(1)
    expect(JSON.stringify(failed(all))).toContain('wrkers')
  })

  it('tells a socket that nobody answers from no daemon', async () => {
    await using daemon = await startDaemon()
    daemon.signal('SIGSTOP')
    const { code, all } = await findings(daemon)
    daemon.signal('SIGCONT')
    expect(code).toBe(1)
    expect(failed(all).map(one => one.name)).toEqual(['daemon'])
    await daemon.stop()
    expect((await findings(daemon)).code).toBe(0)
  })
})
