import type { LogFileSpec, OutputSpec, ProcessSpec } from './program-spec.ts'
import type { QueueSpec } from './queue-spec.ts'

/**
 * File descriptors of the daemon itself (about 40 with SQLite and its own Redis), and what is kept
 * back so that a command is still answered, a connection opened again and a process started when
 * programs have taken all the others.
 */
const OWN = 96
/** A channel to each worker, and reading its usage. */
const FOR_EACH_WORKER = 3

/** What programs and connections must leave to the daemon. */
export function ownDescriptors(queues: readonly QueueSpec[]): number {
  const workers = queues.filter(one => one.mode !== 'pull').map(one => one.workers)
  return OWN + FOR_EACH_WORKER * workers.reduce((all, one) => all + one, 0)
}

/**
 * How many descriptors of the daemon a process of a program takes: a pipe for each stream, and each
 * log file.
 */
export function descriptorsOf({ stdout, stderr }: Pick<ProcessSpec, 'stdout' | 'stderr'>): number {
  const piped = [stdout, stderr].filter(throughUs)
  return piped.length + new Set(piped.map(one => one.path)).size
}

function throughUs(spec: OutputSpec | 'stdout'): spec is LogFileSpec {
  return typeof spec === 'object' && spec.kind === 'file' && spec.through === 'pipe'
}

/** What a worker or its launcher needs, whichever is more: its own, and two pipes for each run. */
export function descriptorsOfWorker(concurrency: number): number {
  return OWN_OF_WORKER + 2 * concurrency
}

/** It has 25 before its first run (measured). */
const OWN_OF_WORKER = 40

/** A limit that leaves room for so many, as people write it. */
export function goodLimit(needed: number): number {
  return Math.max(1024, 2 ** Math.ceil(Math.log2(needed)))
}
