import { expect, test } from 'vitest'
import { type DaemonEvent, Events } from '../../../src/model/events.ts'

const event: DaemonEvent = { type: 'health', part: 'redis', ok: true, error: '' }

test('every listener hears every event, until it leaves', () => {
  const events = new Events()
  const heard: string[] = []
  const leave = events.subscribe(() => heard.push('a'))
  events.subscribe(() => heard.push('b'))
  events.emit(event)
  leave()
  leave()
  events.emit(event)
  expect(heard).toEqual(['a', 'b', 'b'])
})

test('many listeners are no leak', () => {
  const events = new Events()
  const warnings: string[] = []
  const note = (warning: Error) => warnings.push(warning.name)
  process.on('warning', note)
  for (let n = 0; n < 20; n += 1) events.subscribe(() => undefined)
  return new Promise<void>(resolve => setImmediate(resolve)).then(() => {
    process.off('warning', note)
    expect(warnings).toEqual([])
  })
})
