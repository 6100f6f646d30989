import type { Redis } from 'ioredis'
import { TaskdError } from '../lib/errors.ts'
import { onceKey } from './keys.ts'

/** A call that its caller has named, so that repeating it makes no second task. */
export interface Once {
  /** A digest of who calls what, and of the name. */
  readonly name: string
  /** A digest of all that is asked for. */
  readonly body: string
}

interface Kept {
  readonly id: string
  readonly body: string
  /** It is on its queue: not to be added again, however soon the queue forgets it. */
  readonly added?: true
}

/** Remembers which task was made for which call. */
export class Repeats {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /**
   * The id of the task of this call. It is remembered before the task is added, so that a
   * repetition adds the same one, or nothing if the first call had added it.
   * @param newId its id when the call comes for the first time
   * @param add adds the task of this id; harmless when it is there already
   * @throws TaskdError E_KEY_USED when the name was given to another call; what `add` throws
   */
  async once(
    { name, body }: Once,
    newId: string,
    keepMs: number,
    add: (id: string) => Promise<unknown>,
  ): Promise<string> {
    const key = onceKey(name)
    const kept = await this.#keep(key, { id: newId, body }, keepMs)
    if (kept.body !== body)
      throw new TaskdError(
        'E_KEY_USED',
        'this Idempotency-Key, or uuid, came with another request before',
        'use a new one for each task, and the same only to repeat a call',
      )
    if (kept.added) return kept.id
    await add(kept.id)
    const added: Kept = { ...kept, added: true }
    await this.#redis.set(key, JSON.stringify(added), 'PX', keepMs)
    return kept.id
  }

  async #keep(key: string, fresh: Kept, keepMs: number): Promise<Kept> {
    for (;;) {
      const isNew = await this.#redis.set(key, JSON.stringify(fresh), 'PX', keepMs, 'NX')
      if (isNew !== null) return fresh
      const text = await this.#redis.get(key)
      // Its time may have ended between the two.
      if (text !== null) return JSON.parse(text) as Kept
    }
  }
}
