import { TemplateError } from "./templateError.ts";

/** What templates work on: Go's strings, numbers, bools, nil, slices, maps, []byte, and structs (plain objects: a field must exist). */
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | Method
  | Struct;

/** A method of a struct, `{{.ServiceSet "web"}}`: called with what follows it, or with nothing. */
export class Method {
  readonly call: (...args: Value[]) => Value | Promise<Value>;

  constructor(call: (...args: Value[]) => Value | Promise<Value>) {
    this.call = call;
  }
}

export interface Struct {
  readonly [field: string]: Value;
}

export function isStruct(value: Value): value is Struct {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Method) &&
    !(value instanceof Uint8Array)
  );
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Go's truth: not the zero value of its type. */
export function truth(value: Value): boolean {
  if (value === null || value === undefined) return false;
  if (isList(value) || value instanceof Uint8Array) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return isStruct(value) || Boolean(value);
}

/** As fmt.Print writes it: `[a b]`, `map[k:v]`, `<no value>`. */
export function print(value: Value): string {
  if (value === undefined || value === null) return value === null ? "<nil>" : "<no value>";
  if (value instanceof Uint8Array) return `[${value.join(" ")}]`;
  if (isList(value)) return `[${value.map(print).join(" ")}]`;
  if (value instanceof Map) {
    const keys = [...value.keys()].sort();
    return `map[${keys.map((key) => `${key}:${print(value.get(key))}`).join(" ")}]`;
  }
  if (value instanceof Method) return "<method>";
  if (isStruct(value)) return `{${Object.values(value).map(print).join(" ")}}`;
  return String(value);
}

/** `value.field`; a map's missing key is no value, a struct's missing field an error. @throws {TemplateError} */
export function fieldOf(value: Value, field: string): Value {
  if (value instanceof Map) return value.get(field);
  if (isStruct(value) && Object.hasOwn(value, field)) return value[field];
  if (value === null || value === undefined) throw new TemplateError(`nil pointer evaluating .${field}`);
  throw new TemplateError(`can't evaluate field ${field}`);
}

export function asText(value: Value, name: string): string {
  if (typeof value === "string") return value;
  throw new TemplateError(`${name}: wrong type: a string is wanted, not ${print(value).slice(0, 80)}`);
}

export function asNumber(value: Value, name: string): number {
  if (typeof value === "number") return value;
  throw new TemplateError(`${name}: wrong type: a number is wanted, not ${print(value).slice(0, 80)}`);
}

export function asTexts(value: Value, name: string): string[] {
  if (isList(value)) return value.map((each) => asText(each, name));
  throw new TemplateError(`${name}: wrong type: a list of strings is wanted, not ${print(value).slice(0, 80)}`);
}
