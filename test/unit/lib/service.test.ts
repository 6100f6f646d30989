import { describe, expect, test } from 'vitest'
import { type Service, ServiceGroup } from '../../../src/lib/service.ts'
import { recordedLog } from '../../support/logs.ts'

/** Services that write down what is asked of them; a name says how one misbehaves. */
function group(names: readonly string[], stopLimitMs = 1000) {
  const calls: string[] = []
  const recorded = recordedLog()
  const broken = new Set(names.filter(name => name.startsWith('broken')))
  const services = names.map(
    (name): Service => ({
      name,
      async start() {
        calls.push(`start ${name}`)
        if (broken.has(name)) throw new Error(`${name} will not`)
      },
      async stop() {
        calls.push(`stop ${name}`)
        if (name.startsWith('sour')) throw new Error(`${name} will not stop`)
        if (name.startsWith('hanging')) await new Promise(() => undefined)
      },
    }),
  )
  return {
    calls,
    recorded,
    broken,
    group: new ServiceGroup('all', services, recorded.log, stopLimitMs),
  }
}

describe('a group of services', () => {
  test('starts in order and stops in reverse', async () => {
    const all = group(['a', 'b', 'c'])
    await all.group.start()
    await all.group.stop()
    expect(all.calls).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a'])
  })

  test('start and stop repeat without harm, and what never started is not stopped', async () => {
    const all = group(['a'])
    await all.group.stop()
    await all.group.start()
    await all.group.start()
    await all.group.stop()
    await all.group.stop()
    expect(all.calls).toEqual(['start a', 'stop a'])
  })

  test('one that fails to start takes those before it down again, and can be tried once more', async () => {
    const all = group(['a', 'broken', 'c'])
    await expect(all.group.start()).rejects.toThrow('broken will not')
    expect(all.calls).toEqual(['start a', 'start broken', 'stop broken', 'stop a'])
    all.broken.clear()
    await all.group.start()
    expect(all.calls.slice(4)).toEqual(['start a', 'start broken', 'start c'])
  })

  test('one that fails or hangs while stopping is named, and the others are stopped', async () => {
    const all = group(['a', 'hanging', 'sour', 'd'], 20)
    await all.group.start()
    await all.group.stop()
    expect(all.calls.slice(4)).toEqual(['stop d', 'stop sour', 'stop hanging', 'stop a'])
    expect(all.recorded.lines.map(line => [line.message, line.fields['service']])).toEqual([
      ['a part failed to stop', 'sour'],
      ['a part did not stop in time', 'hanging'],
    ])
  })
})
