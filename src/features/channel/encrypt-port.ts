import type { Row } from '../../model/channel.ts'

/** What the route that encrypts may ask of the daemon. */
export interface EncryptPort {
  /** @throws TaskdError E_NO_CHANNEL, E_BAD_ROWS, E_UPSTREAM_AWAY */
  encrypt(request: EncryptRequest): Promise<EncryptAnswer>
}

export interface EncryptRequest {
  /** Not needed where only one channel encrypts. */
  readonly channel?: string | undefined
  readonly rows?: readonly unknown[] | undefined
  /** A single row. */
  readonly fields?: Row | undefined
  /** The whole request, for an upstream that understands more than we do. */
  readonly whole: Row
}

export type EncryptAnswer =
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  | { readonly kind: 'fields'; readonly fields: Row }
  | {
      readonly kind: 'upstream'
      readonly status: number
      readonly contentType: string
      readonly body: Uint8Array<ArrayBuffer>
    }
