import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { which } from './proc.mjs'

/** What bash can do: its start comes on top, for every side of the comparison. */
const BASH = `#!/bin/bash
now=$EPOCHREALTIME
printf '%s - %s000 %s\\n' "$2" "\${now/[.,]/}" "\${TASKD_SCHEDULED_AT:--}" >>"$1"
`

/**
 * A program that writes down the time of its first instruction: `stamp FILE ID`. Static C where
 * there is a compiler, else bash, whose start (about 1 ms) is then a part of every figure.
 */
export function makeStamp(folder) {
  const compiler = which('cc') ?? which('gcc')
  const file = join(folder, 'stamp')
  if (compiler) {
    const source = fileURLToPath(new URL('./stamp.c', import.meta.url))
    try {
      execFileSync(compiler, ['-O2', '-static', '-o', file, source], { stdio: 'ignore' })
      return { file, kind: 'static C' }
    } catch {
      // A compiler without a static libc; bash will do.
    }
  }
  writeFileSync(file, BASH)
  chmodSync(file, 0o755)
  return { file, kind: 'bash' }
}

/** @returns the stamps in a file: id, wall time in ms, and when it was due in ms (or undefined) */
export function readStamps(file) {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [id, mono, wall, due] = line.split(' ')
      return {
        id,
        mono: mono === '-' ? undefined : Number(mono) / 1e6,
        wall: Number(wall) / 1e6,
        due: instant(due),
      }
    })
}

function instant(text) {
  if (text === undefined || text === '-') return undefined
  return /^\d+$/.test(text) ? Number(text) : Date.parse(text)
}

/** Milliseconds from `begun` (see `moment`) to a stamp. */
export function since(begun, stamp) {
  return stamp.mono === undefined ? stamp.wall - begun.wall : stamp.mono - begun.mono
}

/** Now, on both of the clocks that a stamp may have. */
export function moment() {
  return {
    mono: Number(process.hrtime.bigint()) / 1e6,
    wall: performance.timeOrigin + performance.now(),
  }
}
