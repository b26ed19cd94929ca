import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { findNodeAtLocation, getNodeValue, type Node } from 'jsonc-parser';
import { type JsonFile, membersOf } from './json';
import type { JsonSchema } from './schema';

const ajv = new Ajv({ verbose: true, allowUnionTypes: true });
const validators = new WeakMap<JsonSchema, ValidateFunction>();

function validatorOf(schema: JsonSchema): ValidateFunction {
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = ajv.compile(schema);
    validators.set(schema, validator);
  }
  return validator;
}

const pathOf = ({ instancePath }: ErrorObject) => {
  // Keys of the schemas need no escape, and the rest of a path is indices of arrays.
  const [, ...path] = instancePath.split('/');
  return path.map((segment) => (/^[0-9]+$/.test(segment) ? Number(segment) : segment));
};

/**
 * Checks a value against a schema and returns it; `what` names it in messages.
 *
 * @throws WorkloadError at the place of what is wrong, saying what it may be.
 */
export function validated(file: JsonFile, node: Node, schema: JsonSchema, what: string): unknown {
  if (node.type === 'object') checkKeys(file, node, what);
  const value: unknown = getNodeValue(node);
  const validator = validatorOf(schema);
  if (validator(value)) return value;
  const [error] = validator.errors as [ErrorObject, ...ErrorObject[]];
  const path = pathOf(error);
  const at = findNodeAtLocation(node, path) ?? node;
  const keys = path.filter((segment) => typeof segment === 'string');
  const name = keys.length > 0 ? `"${keys.join('.')}" of ${what}` : what;
  const { description, properties } = error.parentSchema as {
    readonly description?: string;
    readonly properties?: object;
  };
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params.additionalProperty);
    const member = membersOf(at).find((candidate) => candidate.key === key);
    const known = Object.keys(properties ?? {}).join(', ');
    return file.fail(
      (member?.keyNode ?? at).offset,
      `unknown key "${key}" in ${name}`,
      `possible are ${known}`,
    );
  }
  if (error.keyword === 'required') {
    const missing = String(error.params.missingProperty);
    return file.fail(at.offset, `${name} has no "${missing}"`, `it takes ${description}`);
  }
  // An element of an array: the array's description says what it takes.
  const said = description ?? (schemaAt(schema, keys) as { description?: string }).description;
  return file.fail(at.offset, `${name} is ${file.textOf(at)}`, `it takes ${said}`);
}

function schemaAt(schema: JsonSchema, keys: readonly string[]): JsonSchema {
  let found = schema;
  for (const key of keys) {
    found = ((found.properties ?? {}) as Record<string, JsonSchema>)[key] ?? found;
  }
  return found;
}

/** JSON keeps the last of two values of a key, and nobody means that; nor is any key `__proto__`. */
export function checkKeys(file: JsonFile, node: Node, what: string): void {
  const seen = new Set<string>();
  for (const { key, keyNode } of membersOf(node)) {
    if (key === '__proto__') {
      file.fail(keyNode.offset, `unknown key "${key}" in ${what}`, 'take it out');
    }
    if (seen.has(key)) {
      file.fail(keyNode.offset, `"${key}" stands twice in ${what}`, 'keep one of them');
    }
    seen.add(key);
  }
}
