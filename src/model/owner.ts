import { bootId, isAlive, startTimeOf } from '../lib/proc.ts'

/**
 * Who holds a task: one incarnation of one worker. It is written into the task's lock, so the
 * lock alone tells whether its holder can still be alive; no registry has to be kept in step.
 * Text form: `<workerId>@<instance>.<boot>.<pid>.<startTime>`.
 */
export interface Owner {
  readonly workerId: string
  /** The installation (one data_dir): we can judge only owners of our own. */
  readonly instance: string
  /** The first part of the kernel's boot id. */
  readonly boot: string
  readonly pid: number
  readonly startTime: number
}

const thisBoot = bootId().slice(0, 8)

/** This very process, as a worker of an installation. */
export function currentOwner(workerId: string, instance: string): Owner {
  const pid = process.pid
  return { workerId, instance, boot: thisBoot, pid, startTime: startTimeOf(pid) ?? 0 }
}

export function formatOwner(owner: Owner): string {
  return `${owner.workerId}@${owner.instance}.${owner.boot}.${owner.pid}.${owner.startTime}`
}

/** Reads the text form, also when followed by the `:<n>` of a lock. */
export function parseOwner(text: string): Owner | undefined {
  const match = /^(.+)@(\w+)\.([\da-f]*)\.(\d+)\.(\d+)(?::\w+)?$/.exec(text)
  if (!match) return undefined
  const [, workerId = '', instance = '', boot = '', pid, startTime] = match
  return { workerId, instance, boot, pid: Number(pid), startTime: Number(startTime) }
}

/** Only meaningful for an owner of this installation. */
export function ownerLives(owner: Owner): boolean {
  return owner.boot === thisBoot && isAlive(owner)
}
