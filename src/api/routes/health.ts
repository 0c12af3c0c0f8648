import * as z from 'zod'
import { type Operation, operation } from '../operation.ts'

const healthSchema = z
  .object({ status: z.enum(['healthy', 'degraded']), version: z.string() })
  .meta({ id: 'HealthResponse' })

/** @param isHealthy whether the store answers */
export function healthOperations(
  isHealthy: () => Promise<boolean>,
  version: string,
): readonly Operation[] {
  return [
    operation({
      id: 'health',
      method: 'GET',
      path: '/v1/health',
      tag: 'service',
      summary: 'Whether this server can answer.',
      isPublic: true,
      answers: {
        200: { description: 'It can.', schema: healthSchema },
        503: {
          description: 'The store does not answer.',
          schema: healthSchema,
        },
      },
      async handle() {
        const isWell = await isHealthy()
        return {
          status: isWell ? 200 : 503,
          body: { status: isWell ? 'healthy' : 'degraded', version },
        }
      },
    }),
    operation({
      id: 'hsmHealth',
      method: 'GET',
      path: '/v1/health/hsm',
      tag: 'service',
      summary: 'Whether keys are kept by a hardware module. Here the system keeps them, so never.',
      isPublic: true,
      answers: {
        200: {
          description: 'There is none.',
          schema: z.object({ status: z.literal('unavailable') }),
        },
      },
      handle: async () => ({ status: 200, body: { status: 'unavailable' } }),
    }),
  ]
}
