/** Which runs a node ends that cannot reach Redis while other nodes may take its tasks. */
export const FENCES = ['sync', 'all', 'off'] as const
export type FenceMode = (typeof FENCES)[number]
