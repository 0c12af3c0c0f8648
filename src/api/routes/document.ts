import * as z from 'zod'
import type { JsonObject } from '../openapi.ts'
import { type Operation, operation } from '../operation.ts'

export function documentOperation(document: () => JsonObject): Operation {
  return operation({
    id: 'openApi',
    method: 'GET',
    path: '/openapi.json',
    tag: 'service',
    summary: 'This document.',
    isPublic: true,
    answers: {
      200: { description: 'OpenAPI 3.1.', schema: z.record(z.string(), z.unknown()) },
    },
    handle: async () => ({ status: 200, body: document() }),
  })
}
