import fc from 'fast-check';
import { attributes, text, uint32 } from './values.ts';

/** A resource, or none. */
export const resource = fc.option(fc.record({ attributes, droppedAttributesCount: uint32 }), { nil: undefined });

/** An instrumentation scope, or none. */
export const scope = fc.option(fc.record({ name: text, version: text, attributes, droppedAttributesCount: uint32 }), {
  nil: undefined,
});

export const schemaUrl = fc.constantFrom('', 'https://opentelemetry.io/schemas/1.44.0', 'ß');
