import type { FailFast } from '../../src/queue/connection.ts'

/** Something of the test's own in the place of what fails rather than wait. */
export const failFast = <T>(fake: T): FailFast<T> => fake as FailFast<T>
