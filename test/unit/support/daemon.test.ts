import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { expect, it } from 'vitest'
import { newDaemon } from '../../support/daemon.ts'

it('a script written anew leaves whole what a run is reading, and is executable at once', async () => {
  await using daemon = newDaemon()
  const path = daemon.script('task.sh', '#!/bin/sh\necho first\n')
  const reading = openSync(path, 'r')
  expect(daemon.script('task.sh', '#!/bin/sh\necho second\n')).toBe(path)
  expect(readFileSync(reading, 'utf8')).toBe('#!/bin/sh\necho first\n')
  closeSync(reading)
  expect(readFileSync(path, 'utf8')).toBe('#!/bin/sh\necho second\n')
  expect(statSync(path).mode & 0o111).toBe(0o111)
})
